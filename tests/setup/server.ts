/**
 * Finds ports and waits for servers that tests start as processes.
 *
 * @module
 */

const START_WITHIN = 20_000;

/** Finds a free port of 127.0.0.1. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

/** Waits until a server accepts connections on the port. @throws if the process `what` ends first */
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
