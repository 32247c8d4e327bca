/**
 * Digests of objects.
 *
 * @module
 */
import { createHash } from "node:crypto";

/** Returns the hexadecimal SHA-256 of bytes, or of a stream, which is not held in memory. */
export async function sha256(body: Uint8Array | ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  const hash = createHash("sha256");
  if (body instanceof Uint8Array) hash.update(body);
  else for await (const chunk of body) hash.update(chunk);
  return hash.digest("hex");
}
