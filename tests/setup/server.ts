/**
 * What tests need to start a server as a process.
 *
 * @module
 */

const START_WITHIN = 20_000;

/** A port of 127.0.0.1 on which nothing listens at present. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

/** Returns when something accepts connections on the port. @throws when the process `what` ends before */
export async function listening(
  port: number,
  ended: Promise<Deno.CommandStatus>,
  what: string,
): Promise<void> {
  let failed: Deno.CommandStatus | undefined;
  ended.then((status) => failed = status);
  for (const end = Date.now() + START_WITHIN;;) {
    if (failed) throw new Error(`${what} ended at once with code ${failed.code}`);
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (Date.now() > end) {
        throw new Error(`${what} did not listen within ${START_WITHIN} ms`, { cause: error });
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  }
}
