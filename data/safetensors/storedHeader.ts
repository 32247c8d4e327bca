/**
 * Reads the header of a safetensors file in object storage without its tensors.
 *
 * @module
 */
import type { ObjectStore } from "../objects/store.ts";
import { type Bytes, concatBytes } from "../bytes.ts";
import { readHeader, type SafetensorsHeader } from "./header.ts";
import { LENGTH_BYTES, MAX_HEADER_BYTES, readHeaderLength } from "./headerText.ts";

/**
 * Reads the header of a stored file.
 *
 * @throws {ObjectNotFoundError} if no object has the key
 * @throws {SafetensorsError} for a file that violates a rule of the format
 */
export async function readStoredHeader(store: ObjectStore, key: string): Promise<SafetensorsHeader> {
  const { body, size } = await store.get(key);
  let bytes: Bytes = new Uint8Array(0);
  // Leaving the loop cancels the stream.
  for await (const chunk of body) {
    bytes = concatBytes([bytes, chunk]);
    if (bytes.length >= Math.min(LENGTH_BYTES + MAX_HEADER_BYTES, headerEnd(bytes))) break;
  }
  return readHeader(bytes, size);
}

/** Returns the offset of the end of the header, or infinity if its length has not been read. */
function headerEnd(bytes: Uint8Array): number {
  if (bytes.length < LENGTH_BYTES) return Infinity;
  return LENGTH_BYTES + readHeaderLength(bytes);
}
