/**
 * A process that has no file descriptors left, and prints what a child's start reports then.
 *
 * @module
 */
import { ChildProcess } from "../../../jobs/process/child.ts";
import type { ToScripted } from "./scriptedChild.ts";

try {
  while (true) Deno.openSync(Deno.execPath());
} catch {
  // The limit is reached.
}
const child = new ChildProcess<ToScripted, unknown>(new URL("./scriptedChild.ts", import.meta.url), {
  message() {},
});
console.log(JSON.stringify({ pid: child.pid, exit: await child.exited }));
Deno.exit();
