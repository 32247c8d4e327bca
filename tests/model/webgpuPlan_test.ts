import { expect } from "expect";
import { findVulkan } from "../setup/vulkan.ts";
import { CASES, options, run } from "./planCases.ts";

const vulkan = await findVulkan();

if (vulkan) {
  for (const { name, architecture, more } of CASES) {
    Deno.test(`planned steps agree with TensorFlow.js for batches of any size: ${name} (webgpu)`, async () => {
      const eager = await run("cpu", options(architecture, 1, more));
      const planned = await run("webgpu", options(architecture, 1, more));
      planned.losses.forEach((loss, i) =>
        expect(Math.abs(loss - eager.losses[i])).toBeLessThan(1e-5 * eager.losses[i])
      );
      for (const [key, { data }] of planned.state.weights) {
        const expected = eager.state.weights.get(key)!.data;
        data.forEach((value, i) => expect(Math.abs(value - expected[i])).toBeLessThan(2e-6));
      }
      expect(planned.state.optimizer.step).toBe(eager.state.optimizer.step);
    });
  }
} else Deno.test.ignore("planned steps on webgpu", () => {});
