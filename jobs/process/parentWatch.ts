/**
 * A thread of a child process that waits for the end of the standard input. The parent process holds the other end and
 * writes nothing, so that the input ends with the parent. The main thread may be busy then, and a thread cannot exit
 * the process, so it ends the process by a signal if the main thread does not exit in time.
 *
 * @module
 */

/** Message to the main thread: the parent has ended. */
export type ParentGone = "gone";

/** Time for the main thread to exit, in milliseconds. */
const EXIT_MS = 1_000;

const gone: ParentGone = "gone";
const input = new Uint8Array(1);
while (await Deno.stdin.read(input).catch(() => null) !== null);
// deno-lint-ignore no-explicit-any -- the worker's global scope has no type of its own in Deno's window library
(self as any).postMessage(gone);
setTimeout(() => Deno.kill(Deno.pid, "SIGKILL"), EXIT_MS);
