/**
 * A child process for the tests of `ChildProcess`. It follows the instruction in each message.
 *
 * @module
 */
import process from "node:process";
import { catchUncaughtErrors, connectToParentProcess } from "../../../jobs/process/entry.ts";

/** Messages to the child. */
export type ToScripted =
  | { readonly type: "echo"; readonly value: unknown }
  /** Sends `count` numbers and exits at once. */
  | { readonly type: "count_and_exit"; readonly count: number; readonly code: number }
  | { readonly type: "print"; readonly lines: readonly string[] }
  | { readonly type: "abort" }
  | { readonly type: "throw"; readonly message: string }
  /** Throws in a callback and rejects a promise that nothing awaits, and reports both. */
  | { readonly type: "throw_caught" }
  | { readonly type: "fill_heap" }
  /** Connects to a port, and then computes without end. The connection ends with this process. */
  | { readonly type: "connect"; readonly port: number; readonly computes: boolean }
  | { readonly type: "compute" }
  /** Does not end at the message `stop`. */
  | { readonly type: "ignore_stop" }
  | { readonly type: "stop" };

let ignoresStop = false;

const send = connectToParentProcess<ToScripted, unknown>((message) => {
  switch (message.type) {
    case "echo":
      return send(message.value);
    case "count_and_exit":
      for (let i = 0; i < message.count; i++) send(i);
      process.nextTick(() => Deno.exit(message.code));
      return;
    case "print":
      for (const line of message.lines) console.error(line);
      return;
    case "abort":
      return process.abort();
    case "throw":
      throw new Error(message.message);
    case "throw_caught":
      catchUncaughtErrors((error) => send((error as Error).message));
      setTimeout(() => {
        throw new Error("in a callback");
      }, 0);
      setTimeout(() => void Promise.reject(new Error("in a promise")), 1);
      return;
    case "fill_heap": {
      const arrays: number[][] = [];
      while (true) arrays.push(new Array(1e6).fill(1.5));
    }
    case "connect":
      Deno.connect({ port: message.port }).then((connection) => {
        connection.write(new Uint8Array([1]));
        if (message.computes) setTimeout(compute, 0);
      });
      return;
    case "compute":
      send("computing");
      ignoresStop = true;
      setTimeout(compute, 0);
      return;
    case "ignore_stop":
      ignoresStop = true;
      return;
    case "stop":
      if (!ignoresStop) Deno.exit(0);
  }
});

function compute(): never {
  while (true);
}
