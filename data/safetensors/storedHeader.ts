/**
 * The header of a safetensors file in object storage, read without its tensors.
 *
 * @module
 */
import type { ObjectStore } from "../objects/store.ts";
import {
  type HeaderOptions,
  LENGTH_BYTES,
  MAX_HEADER_BYTES,
  readHeader,
  type SafetensorsHeader,
} from "./header.ts";

/**
 * Reads an object up to the end of its header.
 *
 * @throws {ObjectNotFoundError} when no object has the key
 * @throws {SafetensorsError} for every rule of the format that is broken
 */
export async function readStoredHeader(
  store: ObjectStore,
  key: string,
  limits: HeaderOptions = {},
): Promise<SafetensorsHeader> {
  const { body, size } = await store.get(key);
  const most = LENGTH_BYTES + (limits.maxHeaderBytes ?? MAX_HEADER_BYTES);
  let bytes = new Uint8Array(0);
  // Leaving the loop cancels the stream.
  for await (const piece of body) {
    const joined = new Uint8Array(bytes.length + piece.length);
    joined.set(bytes);
    joined.set(piece, bytes.length);
    bytes = joined;
    if (bytes.length >= Math.min(most, headerEnd(bytes))) break;
  }
  return readHeader(bytes, size, limits);
}

/** Offset of the end of the header; infinity while its length is not known. */
function headerEnd(bytes: Uint8Array): number {
  if (bytes.length < LENGTH_BYTES) return Infinity;
  return LENGTH_BYTES + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
}
