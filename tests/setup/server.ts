/**
 * Ports and readiness of servers that tests start as processes.
 *
 * @module
 */
import { pause } from "../../data/backoff.ts";

/** Time limit for the start of a server, in milliseconds. */
const START_MS = 20_000;

/** Finds a free port of 127.0.0.1. */
export function freePort(): number {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const { port } = listener.addr;
  listener.close();
  return port;
}

/** Waits until a server accepts connections on the port. @throws {Error} when the process exits before that */
export async function listening(
  port: number,
  ended: Promise<Deno.CommandStatus>,
  what: string,
): Promise<void> {
  let failed: Deno.CommandStatus | undefined;
  ended.then((status) => failed = status);
  for (const end = Date.now() + START_MS;;) {
    if (failed) throw new Error(`${what} exited with code ${failed.code} before it listened`);
    try {
      (await Deno.connect({ hostname: "127.0.0.1", port })).close();
      return;
    } catch (error) {
      if (Date.now() > end) {
        throw new Error(`${what} did not listen within ${START_MS} ms`, { cause: error });
      }
      await pause(20);
    }
  }
}
