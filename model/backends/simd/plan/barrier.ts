/**
 * Synchronisation of the workers in shared memory.
 *
 * @module
 */

/** Indices in the control block. */
const ARRIVED = 0, PHASE = 1, COMPLETED = 2, FAILED = 3;

/** Reads of the phase before a worker sleeps: they take about as long as waking up. */
const SPINS = 2000;

/** Creates a control block. */
export function newControl(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(16));
}

/** Waits until all workers have arrived. @throws {Error} when one of them has failed */
export function barrier(control: Int32Array<SharedArrayBuffer>, threads: number): void {
  const phase = Atomics.load(control, PHASE);
  // A worker that fails after this line changes the phase.
  checkFailed(control);
  if (Atomics.add(control, ARRIVED, 1) === threads - 1) {
    Atomics.store(control, ARRIVED, 0);
    Atomics.add(control, PHASE, 1);
    Atomics.notify(control, PHASE);
  } else {
    for (let i = 0; i < SPINS && Atomics.load(control, PHASE) === phase; i++);
    while (Atomics.load(control, PHASE) === phase) Atomics.wait(control, PHASE, phase);
  }
  checkFailed(control);
}

function checkFailed(control: Int32Array<SharedArrayBuffer>): void {
  if (Atomics.load(control, FAILED) === 1) throw new Error("Another worker failed");
}

/** Counts a worker that has completed the step. Returns whether it was the last one. */
export function complete(control: Int32Array<SharedArrayBuffer>, threads: number): boolean {
  if (Atomics.add(control, COMPLETED, 1) !== threads - 1) return false;
  Atomics.store(control, COMPLETED, 0);
  return true;
}

/** Marks the step as failed, and wakes the workers at the barrier. */
export function fail(control: Int32Array<SharedArrayBuffer>): void {
  Atomics.store(control, FAILED, 1);
  Atomics.add(control, PHASE, 1);
  Atomics.notify(control, PHASE);
}
