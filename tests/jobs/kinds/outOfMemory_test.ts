import { expect } from "expect";
import { DEFAULT_KIND_SETTINGS } from "../../../jobs/kinds/settings.ts";
import { KindHarness } from "./harness.ts";
import { Trap } from "./trap.ts";

Deno.test("a run whose steps need more memory than it may use fails with the numbers", async () => {
  await using harness = await KindHarness.open();
  const compute = { backend: "simd", threads: 2, maxBytes: 2 ** 20 };
  const body = { kind: "pretrain", dataset: { id: "digits", size: 64 }, batch_size: 16 };
  const run = harness.run(body, { settings: { ...DEFAULT_KIND_SETTINGS, compute } });
  await expect(run).rejects.toMatchObject({
    name: "JobFailure",
    code: "out_of_memory",
    message: expect.stringMatching(/needs \d+\.\d GiB of memory, and may use 0\.0 GiB: choose a smaller/),
  });
});

Deno.test("a kernel that traps is an unexpected error, and not a lack of memory", async () => {
  await using harness = await KindHarness.open();
  using trap = new Trap();
  const model = { patch_size: 7, embed_dim: 16, depth: 1, num_heads: 2 };
  const body = { kind: "linear_probe", dataset: { id: "digits", size: 64 }, model, batch_size: 16 };
  expect(await harness.run(body).catch((error) => error)).toBe(trap.error);
});
