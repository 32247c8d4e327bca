/**
 * The GPU of any vendor, through Deno's WebGPU.
 *
 * - `webgpu/kernels/` has the compute programs, and `webgpu/linearCalls.ts` selects their tiles.
 * - `webgpu/plan/` plans training steps and forward passes; see `webgpu/plan/plannedStepper.ts`.
 * - `webgpu/ops.ts` runs the operations one by one on the tensors of TensorFlow.js's backend.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import type { NativeOps } from "../ops/native.ts";
import { type Backend, BackendError, type Planner } from "./backend.ts";
import { openDevice } from "./webgpu/adapter.ts";
import type { WebgpuPackage } from "./webgpu/backend.ts";
import { guardBackend } from "./webgpu/guard.ts";
import { Launcher } from "./webgpu/launcher.ts";
import { limitMemory } from "./webgpu/memory.ts";
import { webgpuOps } from "./webgpu/ops.ts";
import type { PlanDevice } from "./webgpu/plan/planDevice.ts";
import { DevicePredictor } from "./webgpu/plan/plannedPredictor.ts";
import { DeviceStepper } from "./webgpu/plan/plannedStepper.ts";
import { selfTest } from "./webgpu/selfTest.ts";

const NAME = "webgpu";

/** A device that passed its self-test. */
interface TestedDevice extends PlanDevice {
  readonly ops: NativeOps;
  /** Why the adapter does not count as hardware, or null. */
  readonly software: string | null;
}

let current: TestedDevice | null = null;

/** Destroys the device in use, and removes TensorFlow.js's factory, which would open another one. */
function remove(): void {
  current = null;
  if (tf.findBackendFactory(NAME)) tf.removeBackend(NAME);
}

async function open(gpuOnly: boolean): Promise<TestedDevice> {
  const { device, info, software } = await openDevice(gpuOnly);
  // A dynamic import: the package takes long to load, and most processes use another backend.
  const { WebGPUBackend } = await import("@tensorflow/tfjs-backend-webgpu") as unknown as WebgpuPackage;
  remove();
  const backend = new WebGPUBackend(device, info);
  const guard = guardBackend(backend);
  limitMemory(backend);
  tf.registerBackend(NAME, () => backend, 0);
  const launcher = new Launcher(backend), ops = webgpuOps(launcher);
  const fault = await selfTest(ops);
  if (fault) throw new BackendError(fault);
  const tested: TestedDevice = { ops, launcher, guard, tested: new Set(), software };
  await DeviceStepper.testSmall(tested);
  return tested;
}

/** The GPU of any vendor. A process uses one device until that fails. */
export const webgpu: Backend = {
  async start({ gpuOnly = false }) {
    try {
      if (!current || current.guard.fault) current = await open(gpuOnly);
    } catch (error) {
      remove();
      throw error;
    }
    if (gpuOnly && current.software) throw new BackendError(current.software);
    await tf.setBackend(NAME);
    const device = current;
    const planner: Planner = {
      openStepper: (options) => DeviceStepper.open(device, options),
      openPredictor: (options) => DevicePredictor.open(device, options),
    };
    return { ops: device.ops, planner };
  },
};
