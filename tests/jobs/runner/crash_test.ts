import { expect } from "expect";
import { type Crash, crashOutcome } from "../../../jobs/runner/crash.ts";

const crash = (exit: Partial<Crash["exit"]>, outOfMemory = false): Crash => ({
  type: "crashed",
  outOfMemory,
  exit: { code: null, signal: null, lastOutput: [], sentSignal: null, ...exit },
});

for (
  const line of [
    "# Fatal JavaScript out of memory: Reached heap limit",
    "# Fatal process out of memory: Failed to reserve virtual memory for CodeRange",
    "error: Uncaught RangeError: WebAssembly.Memory(): could not allocate memory",
    "RangeError: Array buffer allocation failed",
    "memory allocation of 1073741824 bytes failed",
    "terminate called after throwing an instance of 'std::bad_alloc'",
  ]
) {
  Deno.test(`a crash with the output "${line}" fails the job with out_of_memory`, () => {
    const lastOutput = ["starting", line, "    deno(+0x28b0d2e) [0x5583caff6d2e]"];
    const outcome = crashOutcome(crash({ signal: "SIGTRAP", lastOutput }));
    expect(outcome).toMatchObject({ type: "failed", error: { code: "out_of_memory" } });
    expect(outcome.type === "failed" && outcome.error.message).toContain("choose a smaller batch_size");
  });
}

Deno.test("a kill without output is an interruption with the name of the signal", () => {
  const cause = "the process of the run was ended by SIGKILL";
  expect(crashOutcome(crash({ signal: "SIGKILL" }))).toEqual({
    type: "crashed",
    cause,
    error: { code: "run_crashed", message: "The process of the run was ended by SIGKILL" },
  });
});

Deno.test("a kill by the kernel because memory ran out is an interruption with the error out_of_memory", () => {
  expect(crashOutcome(crash({ signal: "SIGKILL" }, true))).toMatchObject({
    type: "crashed",
    cause: "the system killed the process of the run because memory ran out",
    error: { code: "out_of_memory" },
  });
});

Deno.test("the cause of a crash has the line of the output that states a reason", () => {
  const lastOutput = ["loading", "thread 'main' panicked at src/lib.rs:1:", "  0: <unknown>"];
  expect(crashOutcome(crash({ signal: "SIGABRT", lastOutput }))).toMatchObject({
    cause: "the process of the run was ended by SIGABRT: thread 'main' panicked at src/lib.rs:1:",
  });
  expect(crashOutcome(crash({ code: 134, lastOutput: ["bye"] }))).toMatchObject({
    cause: "the process of the run ended with exit code 134: bye",
  });
  expect(crashOutcome(crash({ lastOutput: ["spawn ENOENT"] }))).toMatchObject({
    cause: "the process of the run could not be started: spawn ENOENT",
  });
});
