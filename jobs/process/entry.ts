/**
 * The child's side of a child process: messages from and to the parent process. When the parent ends, the child ends,
 * even while its main thread computes.
 *
 * @module
 */
import process from "node:process";
import type { ParentGone } from "./parentWatch.ts";

/** Exit code of a child whose parent has ended. */
const ORPHANED = 3;
/** Exit code of a child that SIGTERM ended: 128 plus the number of the signal. */
const TERMINATED = 143;

/**
 * Connects this process to the parent that started it with `ChildProcess`. SIGINT and SIGTERM are ignored before the
 * message `stop`: a terminal (Ctrl-C) and systemd send them to the child too, and the parent decides when it stops.
 *
 * @param receive called with each message of the parent, in order
 * @returns a function that sends a message to the parent
 */
export function connectToParentProcess<To extends { readonly type: string }, From>(
  receive: (message: To) => void,
): (message: From) => void {
  let isStopping = false;
  process.on("message", (message) => {
    isStopping ||= (message as To).type === "stop";
    receive(message as To);
  });
  process.on("disconnect", () => Deno.exit(ORPHANED));
  Deno.addSignalListener("SIGINT", () => {});
  // Windows has no SIGTERM to listen to. There, `Deno.kill` ends a process immediately.
  if (Deno.build.os !== "windows") {
    Deno.addSignalListener("SIGTERM", () => {
      if (isStopping) Deno.exit(TERMINATED);
    });
  }
  watchParent();
  // Messages to a parent that has just ended are dropped.
  return (message) => {
    if (process.connected) process.send!(message, undefined, undefined, () => {});
  };
}

/**
 * Reports errors that nothing else catches, such as one in a callback, instead of ending this process with exit code 1.
 *
 * @param report called with each error
 */
export function catchUncaughtErrors(report: (error: unknown) => void): void {
  addEventListener("error", (event) => {
    event.preventDefault();
    report(event.error);
  });
  addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    report(event.reason);
  });
}

/** Ends this process as soon as the parent has ended, also while the main thread is busy. */
function watchParent(): void {
  const watch = new Worker(new URL("./parentWatch.ts", import.meta.url), { type: "module" });
  watch.onmessage = ({ data }: MessageEvent<ParentGone>) => {
    if (data === "gone") Deno.exit(ORPHANED);
  };
}
