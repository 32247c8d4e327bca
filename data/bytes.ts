/**
 * Arrays of bytes.
 *
 * @module
 */

/** Bytes that no other thread shares. */
export type Bytes = Uint8Array<ArrayBuffer>;

/** Concatenates arrays. A single array is returned without a copy. */
export function concatBytes(parts: readonly Bytes[]): Bytes {
  if (parts.length === 1) return parts[0];
  const all = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    all.set(part, offset);
    offset += part.length;
  }
  return all;
}

/** Reads a stream to its end. */
export async function readBytes(stream: ReadableStream<Bytes>): Promise<Bytes> {
  return new Uint8Array(await new Response(stream).arrayBuffer());
}
