import { expect } from "expect";
import { readSafetensors, writeSafetensors } from "../../data/safetensors/safetensors.ts";
import type { Planner } from "../../model/backends/backend.ts";
import { selectBackend } from "../../model/backends/select.ts";
import { availableBackends, titleOf } from "../setup/backends.ts";
import { compareWithReference } from "./compare.ts";
import { compareWithVitMae } from "./vitMae.ts";

const shared = Deno.env.get("UNMASK_SHARED") ?? "../shared";
const reference = new URL("../fixtures/parity_rgb6.safetensors", import.meta.url);

const vitMae = new URL("../fixtures/vitmae", import.meta.url).pathname;

const backends = await availableBackends();

/** Returns the groups that exceed their tolerance. @param reference a file or a folder */
async function failures(reference: Uint8Array<ArrayBuffer> | string, planner?: Planner): Promise<string[]> {
  const results = typeof reference === "string"
    ? await compareWithVitMae(reference, planner)
    : await compareWithReference(reference, planner);
  return results.filter(({ share }) => !(share <= 1)).map(({ group, worst, share }) =>
    `${group}: ${worst} ${share}`
  );
}

for (const { name, options } of backends) {
  Deno.test(`the model agrees with PyTorch on the reference of this repository (${titleOf(name, options)})`, async () => {
    const { planner } = await selectBackend(name, options);
    expect(await failures(await Deno.readFile(reference), planner)).toEqual([]);
  });

  Deno.test(`the model agrees with Hugging Face's ViTMAE of this repository (${titleOf(name, options)})`, async () => {
    const { planner } = await selectBackend(name, options);
    expect(await failures(vitMae, planner)).toEqual([]);
  });
}

/** Returns whether a file or folder exists, and reports a missing one. */
function hasReference(path: string): boolean {
  try {
    Deno.statSync(path);
    return true;
  } catch {
    console.log(`Skipped: ${path} does not exist (set UNMASK_SHARED)`);
    return false;
  }
}

for (const name of ["hf_vitmae", "hf_vitmae_norm_pix"]) {
  const folder = `${shared}/reference/${name}`;
  Deno.test({
    name: `the model agrees with Hugging Face's ViTMAE on ${name}`,
    ignore: !hasReference(folder),
    async fn() {
      for (const { name: backend, options } of backends) {
        const { planner } = await selectBackend(backend, options), title = titleOf(backend, options);
        expect({ title, failures: await failures(folder, planner) }).toEqual({ title, failures: [] });
      }
    },
  });
}

for (const name of ["tiny", "rgb", "mnist"]) {
  const file = `${shared}/reference/${name}.safetensors`;
  Deno.test({
    name: `the model agrees with PyTorch on ${name}.safetensors`,
    ignore: !hasReference(file),
    async fn() {
      for (const { name: backend, options } of backends.filter(({ name }) => name !== "cpu")) {
        const { planner } = await selectBackend(backend, options);
        const title = titleOf(backend, options);
        expect({ title, failures: await failures(await Deno.readFile(file), planner) }).toEqual({
          title,
          failures: [],
        });
      }
    },
  });
}

Deno.test("deno task parity exits with 1 and names the tensor when a value exceeds its tolerance", async () => {
  const { tensors, metadata } = readSafetensors(await Deno.readFile(reference));
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
    const altered = await run(file);
    expect(altered.code).toBe(1);
    expect(altered.text).toMatch(/pred .*EXCEEDS ITS TOLERANCE in pred/);
    const unaltered = await run(reference.pathname);
    expect(unaltered.code).toBe(0);
    expect(unaltered.text).not.toMatch(/EXCEEDS/);
  } finally {
    await Deno.remove(file);
  }
});
