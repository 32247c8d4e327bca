/**
 * The crash of a run: its process ended without a last message.
 *
 * @module
 */
import type { JobError } from "../job.ts";
import type { ChildExit } from "../process/child.ts";
import type { Outcome } from "../store/queue/outcome.ts";

/** The process of a run has ended without a last message. */
export interface Crash {
  readonly type: "crashed";
  readonly exit: ChildExit;
  /** Whether the kernel has killed a process because memory ran out while the run's process existed. */
  readonly outOfMemory: boolean;
}

/** How V8, Rust, C++ and the system report that memory could not be allocated. */
const ALLOCATION_FAILURE =
  /out of memory|could not allocate memory|Array buffer allocation failed|memory allocation of \d+ bytes failed|std::bad_alloc|Cannot allocate memory/i;
/** Lines that state the reason of a crash, rather than a stack trace. */
const REASON = /fatal|error|panic|abort|assert|fail|exception|terminat/i;
/** Maximum number of characters of a crash's reason. */
const REASON_LENGTH = 300;

const ADVICE = "choose a smaller batch_size, model or data set, or give the runner more memory";

/** Returns the error of a run that could not allocate memory. @param reason message of the failed allocation */
export function outOfMemoryError(reason: string): JobError {
  return {
    code: "out_of_memory",
    message: `The run needs more memory than it can have (${reason}): ${ADVICE}`,
  };
}

/** Whether a message or an error of the run reports that memory could not be allocated. */
export function isAllocationFailure(message: string): boolean {
  return ALLOCATION_FAILURE.test(message);
}

/**
 * Returns the outcome of a crash. A failed allocation would fail again, so it fails the job. Any other crash is an
 * interruption.
 */
export function crashOutcome({ exit, outOfMemory }: Crash): Outcome {
  const failure = exit.lastOutput.find(isAllocationFailure);
  if (failure !== undefined) return { type: "failed", error: outOfMemoryError(trimmed(failure)) };
  const cause = describeExit(exit, outOfMemory);
  return {
    type: "crashed",
    cause,
    error: outOfMemory ? outOfMemoryError(cause) : { code: "run_crashed", message: `T${cause.slice(1)}` },
  };
}

/** Returns how a process ended, as in "the process of the run was ended by SIGSEGV: its last output". */
export function describeExit({ code, signal, lastOutput }: ChildExit, outOfMemory: boolean): string {
  if (outOfMemory) return "the system killed the process of the run because memory ran out";
  const end = signal !== null
    ? `was ended by ${signal}`
    : code !== null
    ? `ended with exit code ${code}`
    : "could not be started";
  const reason = lastOutput.findLast((line) => REASON.test(line)) ?? lastOutput.at(-1);
  return `the process of the run ${end}${reason === undefined ? "" : `: ${trimmed(reason)}`}`;
}

/** Returns a line without the marks of a fatal error, and without its end if it is long. */
function trimmed(line: string): string {
  return line.replace(/^[#\s]+/, "").slice(0, REASON_LENGTH);
}
