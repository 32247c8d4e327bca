/**
 * Reads the header of a safetensors file in object storage without its tensors.
 *
 * @module
 */
import type { ObjectStore } from "../objects/store.ts";
import { type Bytes, concatBytes } from "../bytes.ts";
import { readHeader, type SafetensorsHeader } from "./header.ts";
import { headerEnd, LENGTH_BYTES } from "./headerText.ts";

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
    if (bytes.length >= LENGTH_BYTES && bytes.length >= headerEnd(bytes, size)) break;
  }
  return readHeader(bytes, size);
}
