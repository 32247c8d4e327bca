import { expect } from "expect";
import { readSafetensors, writeSafetensors } from "../../data/safetensors/safetensors.ts";
import type { Planner } from "../../model/backends/backend.ts";
import { selectBackend } from "../../model/backends/select.ts";
import { availableBackends, titleOf } from "../setup/backends.ts";
import { compareWithReference } from "./compare.ts";

const shared = Deno.env.get("UNMASK_SHARED") ?? "../shared";
const reference = new URL("../fixtures/parity_rgb6.safetensors", import.meta.url);

const backends = await availableBackends();

/** Returns the groups that exceed their tolerance. */
async function failures(bytes: Uint8Array<ArrayBuffer>, planner?: Planner): Promise<string[]> {
  const results = await compareWithReference(bytes, planner);
  return results.filter(({ share }) => !(share <= 1)).map(({ group, worst, share }) =>
    `${group}: ${worst} ${share}`
  );
}

for (const { name, options } of backends) {
  Deno.test(`the model agrees with PyTorch on the reference of this repository (${titleOf(name, options)})`, async () => {
    const { planner } = await selectBackend(name, options);
    expect(await failures(await Deno.readFile(reference), planner)).toEqual([]);
  });
}

for (const name of ["tiny", "rgb", "mnist"]) {
  const file = `${shared}/reference/${name}.safetensors`;
  let exists = true;
  try {
    Deno.statSync(file);
  } catch {
    exists = false;
    console.log(`Skipped: ${file} does not exist (set UNMASK_SHARED)`);
  }
  Deno.test({
    name: `the model agrees with PyTorch on ${name}.safetensors`,
    ignore: !exists,
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
