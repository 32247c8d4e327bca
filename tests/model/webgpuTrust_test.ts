import * as tf from "@tensorflow/tfjs-core";
import { expect } from "expect";
import { selectBackend } from "../../model/backends/select.ts";
import { adapterName, isSoftware } from "../../model/backends/webgpu/adapter.ts";
import type { WebgpuBackend } from "../../model/backends/webgpu/backend.ts";
import { Guard } from "../../model/backends/webgpu/guard.ts";
import { Launcher } from "../../model/backends/webgpu/launcher.ts";
import { limitMemory } from "../../model/backends/webgpu/memory.ts";
import { checked } from "../../model/backends/webgpu/plan/planDevice.ts";
import { elementCall, elementwise } from "../../model/backends/webgpu/program.ts";
import { selfTest } from "../../model/backends/webgpu/selfTest.ts";
import { gelu } from "../../model/ops/gelu.ts";
import { native, useNative } from "../../model/ops/native.ts";
import { train } from "../../model/training/trainer.ts";
import { findVulkan } from "../setup/vulkan.ts";
import { collect, options } from "./training.ts";

const vulkan = await findVulkan();

Deno.test("software adapters are recognised by their names", () => {
  const info = { vendor: "", architecture: "", device: "", description: "" };
  for (
    const description of [
      "llvmpipe (LLVM 15.0.6, 256 bits)",
      "SwiftShader Device",
      "Microsoft Basic Render Driver",
      "CPU",
    ]
  ) expect(isSoftware({ ...info, description })).toBe(true);
  for (
    const description of ["NVIDIA H100 80GB HBM3", "AMD Radeon RX 7900", "Apple M2", "Intel(R) UHD Graphics"]
  ) {
    expect(isSoftware({ ...info, description })).toBe(false);
    expect(isSoftware({ ...info, description, isFallbackAdapter: true })).toBe(true);
  }
  expect(adapterName({ ...info, vendor: "nvidia", architecture: "hopper" })).toBe("hopper");
});

/** Dispatches a program that does not compile. */
function runInvalid(x: tf.Tensor): tf.Tensor {
  const invalid = elementwise({
    name: "invalid",
    writes: { y: "f32" },
    reads: { x: "f32" },
    uniforms: {},
    body: "  y[i] = x[i] + nowhere;",
  });
  const launcher = new Launcher(tf.backend() as WebgpuBackend);
  return launcher.run(elementCall(invalid, x.size), { reads: [x], writes: [x.shape] })[0];
}

/** Returns a launcher and a guard on the device in use. */
async function planDevice() {
  await selectBackend("webgpu");
  const backend = tf.backend() as WebgpuBackend;
  return { launcher: new Launcher(backend), guard: new Guard(backend.device) };
}

if (vulkan) {
  Deno.test("inputs of changing sizes do not fill the memory of the device (webgpu)", async () => {
    await selectBackend("webgpu");
    const backend = tf.backend() as WebgpuBackend;
    limitMemory(backend, 0);
    const { bufferManager } = backend, before = bufferManager.numBytesUsed;
    for (let size = 100_000; size < 100_050; size++) {
      const x = tf.ones([size]), y = gelu(x);
      expect((await y.data())[size - 1]).toBeCloseTo(0.841345, 5);
      tf.dispose([x, y]);
      expect(bufferManager.numBytesAllocated).toBeLessThan(before + 4e6);
    }
  });

  Deno.test("auto skips a software adapter and reports it", async () => {
    const adapter = await navigator.gpu.requestAdapter();
    const { name, notes } = await selectBackend("auto", { flops: 1e12 });
    if (isSoftware(adapter!.info)) {
      expect(name).toBe("simd");
      expect(notes.join()).toMatch(/webgpu: its only adapter is software/);
    } else expect(name).toBe("webgpu");
  });

  Deno.test("after an invalid program every read fails until the backend is selected again (webgpu)", async () => {
    await selectBackend("webgpu");
    const x = tf.ones([8]);
    const good = tf.mul(x, 2);
    const y = runInvalid(x);
    await expect(y.data()).rejects.toThrow(/WebGPU failed.*nowhere/s);
    await expect(good.data()).rejects.toThrow(/WebGPU failed/);
    tf.dispose([x, good, y]);

    await selectBackend("webgpu");
    const again = tf.mul(tf.ones([8]), 2);
    expect([...await again.data()]).toEqual(new Array(8).fill(2));
    again.dispose();
  });

  Deno.test("an invalid program fails the step before the weights change (webgpu)", async () => {
    await selectBackend("webgpu");
    useNative({ ...native(), gelu: { forward: (x) => [runInvalid(x), tf.onesLike(x)] } });
    await expect(collect(train(options({ model: "mae" })))).rejects.toThrow(/WebGPU failed.*nowhere/s);
  });

  Deno.test("an error belongs to the objects whose creation caused it (webgpu)", async () => {
    const { launcher, guard } = await planDevice(), { device } = launcher.backend;
    const create = (size: number) =>
      checked(
        { launcher, guard, tested: new Set() },
        () => device.createBuffer({ label: `${size} bytes`, size, usage: GPUBufferUsage.STORAGE }),
      );
    const tooLarge = 2 * device.limits.maxBufferSize + 4;
    const results = await Promise.allSettled([create(4), create(tooLarge)]);
    expect(results.map(({ status }) => status)).toEqual(["fulfilled", "rejected"]);
    expect(guard.fault).toBe(null);
  });

  Deno.test("operations and reads fail on a lost device, and selecting the backend opens another (webgpu)", async () => {
    await selectBackend("webgpu");
    const x = tf.ones([2000]);
    const y = tf.mul(x, 2);
    (tf.backend() as WebgpuBackend).device.destroy();
    await expect(y.data()).rejects.toThrow(/WebGPU failed/);
    expect(() => tf.mul(x, 3)).toThrow(/WebGPU failed/);
    tf.dispose([x, y]);
    await selectBackend("webgpu");
    expect((await tf.mul(tf.ones([2000]), 2).data())[1999]).toBe(2);
  });

  Deno.test("the self-test finds wrong values, zeros and wrong gradients (webgpu)", async () => {
    await selectBackend("webgpu");
    const ops = native();
    expect(await selfTest(ops)).toBe(null);
    const gelus: Record<string, (value: tf.Tensor, derivative: tf.Tensor) => [tf.Tensor, tf.Tensor]> = {
      "of gelu": (value, derivative) => [tf.mul(value, 1.001), derivative],
      "of gelu returned 0": (value, derivative) => [tf.zerosLike(value), derivative],
      "of gradient 1 of gelu": (value, derivative) => [value, tf.mul(derivative, 0.999)],
    };
    for (const [message, wrong] of Object.entries(gelus)) {
      const fault = await selfTest({ ...ops, gelu: { forward: (x) => wrong(...ops.gelu!.forward(x)) } });
      expect(fault).toContain(`its self-test ${message}`);
    }
  });
} else Deno.test.ignore("errors of webgpu devices", () => {});
