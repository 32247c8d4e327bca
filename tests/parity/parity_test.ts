import { expect } from "expect";
import { readSafetensors, writeSafetensors } from "../../data/safetensors/safetensors.ts";
import { type BackendName, EMBEDDED_BACKENDS } from "../../model/backends/backend.ts";
import { selectBackend } from "../../model/backends/select.ts";
import { findTensorflow } from "../setup/tensorflow.ts";
import { findVulkan } from "../setup/vulkan.ts";
import { compareWithReference } from "./compare.ts";

const shared = Deno.env.get("UNMASK_SHARED") ?? "../shared";
const own = new URL("../fixtures/parity_rgb6.safetensors", import.meta.url);

const native = await findTensorflow();
const backends: readonly BackendName[] = [
  ...EMBEDDED_BACKENDS,
  ...(native ? ["tensorflow" as const] : []),
  ...(await findVulkan() ? ["webgpu" as const] : []),
];

/** Groups past their tolerance, readable in a failure. */
async function failures(bytes: Uint8Array<ArrayBuffer>): Promise<string[]> {
  const results = await compareWithReference(bytes);
  return results.filter(({ share }) => !(share <= 1)).map(({ group, worst, share }) =>
    `${group}: ${worst} ${share}`
  );
}

for (const backend of backends) {
  Deno.test(`the model agrees with PyTorch on the project's own reference (${backend})`, async () => {
    await selectBackend(backend, native ?? {});
    expect(await failures(await Deno.readFile(own))).toEqual([]);
  });
}

for (const name of ["tiny", "rgb", "mnist"]) {
  const file = `${shared}/reference/${name}.safetensors`;
  let there = true;
  try {
    Deno.statSync(file);
  } catch {
    there = false;
    console.log(`skipped: parity on ${name}.safetensors, as ${file} is not there (set UNMASK_SHARED)`);
  }
  Deno.test({
    name: `the model agrees with PyTorch on ${name}.safetensors`,
    ignore: !there,
    async fn() {
      for (const backend of backends.filter((backend) => backend !== "cpu")) {
        await selectBackend(backend, native ?? {});
        expect({ backend, failures: await failures(await Deno.readFile(file)) }).toEqual({
          backend,
          failures: [],
        });
      }
    },
  });
}

Deno.test("deno task parity exits 1 and names the tensor when a number is off", async () => {
  const { tensors, metadata } = readSafetensors(await Deno.readFile(own));
  const pred = tensors.get("pred")!;
  const data = Float32Array.from(pred.data as Float32Array);
  data[5] += 2e-5;
  tensors.set("pred", { dtype: "F32", shape: pred.shape, data });
  const file = await Deno.makeTempFile({ suffix: ".safetensors" });
  try {
    await Deno.writeFile(file, writeSafetensors(tensors, metadata));
    const run = async (path: string) => {
      const script = new URL("./main.ts", import.meta.url).pathname;
      const output = await new Deno.Command(Deno.execPath(), { args: ["run", "-A", script, path] }).output();
      return { code: output.code, text: new TextDecoder().decode(output.stdout) };
    };
    const off = await run(file);
    expect(off.code).toBe(1);
    expect(off.text).toMatch(/pred .*PAST ITS TOLERANCE in pred/);
    const fine = await run(own.pathname);
    expect(fine.code).toBe(0);
    expect(fine.text).not.toMatch(/PAST/);
  } finally {
    await Deno.remove(file);
  }
});
