/**
 * WebGPU: any vendor's GPU, through Deno itself.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import type { NativeOps } from "../ops/native.ts";
import { type Backend, BackendError } from "./backend.ts";
import { openDevice } from "./webgpu/adapter.ts";
import type { WebgpuPackage } from "./webgpu/backend.ts";
import { type Guard, guard } from "./webgpu/guard.ts";
import { Launcher } from "./webgpu/launcher.ts";
import { boundMemory } from "./webgpu/memory.ts";
import { webgpuOps } from "./webgpu/ops.ts";
import { selfTest } from "./webgpu/selfTest.ts";

const NAME = "webgpu";

/** A device that passed its self-test. */
interface Trusted {
  readonly ops: NativeOps;
  readonly guard: Guard;
  /** Why it is no hardware, or null. */
  readonly software: string | null;
}

let trusted: Trusted | null = null;

/** Ends the device that was in use, and TensorFlow.js's way to open one. */
function remove(): void {
  trusted = null;
  if (tf.findBackendFactory(NAME)) tf.removeBackend(NAME);
}

async function open(gpuOnly: boolean): Promise<Trusted> {
  const { device, info, software } = await openDevice(gpuOnly);
  // Loaded here, so that nobody waits for it who has no use for it.
  const { WebGPUBackend } = await import("@tensorflow/tfjs-backend-webgpu") as unknown as WebgpuPackage;
  remove();
  const backend = new WebGPUBackend(device, info);
  const watch = guard(backend);
  boundMemory(backend);
  tf.registerBackend(NAME, () => backend, 0);
  const ops = webgpuOps(new Launcher(backend));
  const fault = await selfTest(ops);
  if (fault) throw new BackendError(fault);
  return { ops, guard: watch, software };
}

/** Any vendor's GPU. One device serves the process until it fails. */
export const webgpu: Backend = {
  async start({ gpuOnly = false }) {
    try {
      if (!trusted || trusted.guard.fault) trusted = await open(gpuOnly);
    } catch (error) {
      remove();
      throw error;
    }
    if (gpuOnly && trusted.software) throw new BackendError(trusted.software);
    await tf.setBackend(NAME);
    return { ops: trusted.ops };
  },
};
