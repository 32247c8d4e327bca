/**
 * A process that starts a child and waits. The test kills this process. Arguments: a port for the child, and whether
 * the child computes.
 *
 * @module
 */
import { ChildProcess } from "../../../jobs/process/child.ts";
import type { ToScripted } from "./scriptedChild.ts";

const [port, computes] = Deno.args;
const child = new ChildProcess<ToScripted, unknown>(new URL("./scriptedChild.ts", import.meta.url), {
  message() {},
});
child.send({ type: "connect", port: Number(port), computes: computes === "computes" });
await child.exited;
