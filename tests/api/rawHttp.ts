/**
 * Sends raw bytes to a server, without an HTTP client.
 *
 * @module
 */

/** Sends bytes, and returns what the server sends until it closes the connection or a JSON response is complete. */
export async function sendRaw(port: number, ...chunks: (string | Uint8Array)[]): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const sending = (async () => {
    for (const chunk of chunks) {
      const bytes = typeof chunk === "string" ? new TextEncoder().encode(chunk) : chunk;
      for (let offset = 0; offset < bytes.length;) offset += await connection.write(bytes.subarray(offset));
    }
  })().catch(() => {});
  let text = "";
  const buffer = new Uint8Array(16_384);
  while (!/\r\n\r\n.*\}/s.test(text)) {
    const read = await connection.read(buffer).catch(() => null);
    if (read === null) break;
    text += new TextDecoder().decode(buffer.subarray(0, read));
  }
  await Promise.race([sending, Promise.resolve()]);
  return text;
}

/** Returns the status of a response; 0 without a response. */
export function status(response: string): number {
  return Number(/^HTTP\/1\.1 (\d+)/.exec(response)?.[1] ?? 0);
}
