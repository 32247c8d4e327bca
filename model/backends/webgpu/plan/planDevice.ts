/**
 * A device on which plans run.
 *
 * @module
 */
import { BackendError } from "../../backend.ts";
import type { Guard } from "../guard.ts";
import type { Launcher } from "../launcher.ts";
import type { Program } from "../program.ts";
import type { DispatchPlan } from "./dispatches.ts";

/** A device with the programs that it has compiled and tested. */
export interface PlanDevice {
  readonly launcher: Launcher;
  readonly guard: Guard;
  /** The programs that have returned the expected results. */
  readonly tested: Set<Program>;
}

/** Returns the programs of a plan that the device has not tested. */
export function untested({ tested }: PlanDevice, { dispatches }: DispatchPlan): Program[] {
  return dispatches.map(({ program }) => program).filter((program) => !tested.has(program));
}

/** @throws {BackendError} when a plan has programs that were not tested */
export function requireTested(device: PlanDevice, plan: DispatchPlan): void {
  const [program] = untested(device, plan);
  if (program) throw new BackendError(`WebGPU has no self-test of the program '${program.name}'`);
}

/** Creates objects on a device. @throws {BackendError} when the device reports an error */
export async function checked<T>({ launcher, guard }: PlanDevice, create: () => T): Promise<T> {
  const { device } = launcher.backend, filters = ["validation", "out-of-memory"] as const;
  guard.check();
  for (const filter of filters) device.pushErrorScope(filter);
  let created: T | undefined, thrown: unknown;
  try {
    created = create();
  } catch (error) {
    thrown = error;
  }
  // All scopes are closed before anything else can open another one.
  const errors = await Promise.all(filters.map(() => device.popErrorScope()));
  const error = errors.find((error) => error !== null);
  if (error) throw new BackendError(`WebGPU cannot run this model: ${error.message}`);
  if (thrown) throw thrown;
  return created!;
}
