import { expect } from "expect";
import { machine, missingInstructions } from "../../../jobs/process/machine.ts";
import { chooseVectors, vectorFlags, VectorsError } from "../../../jobs/process/vectors.ts";
import { readVectors, writeVectors } from "../../../jobs/process/vectorsFile.ts";
import { probeVectors } from "../../../model/backends/simd/vectorProbe.ts";

Deno.test("the probe compares known answers and the times of its clock, and ends within its budget", () => {
  let time = 0;
  // Every timing takes one millisecond by this clock.
  expect(probeVectors(() => time++, 100)).toEqual({ fault: null, speedup: 1 });
  expect(time).toBeGreaterThan(100);
  expect(time).toBeLessThan(110);
});

Deno.test("256 bits need x86-64 with AVX2 and FMA", async () => {
  const cpuinfo = (flags: string) => `model name\t: A CPU\nflags\t\t: fpu ${flags} sse\n`;
  expect(await missingInstructions("x86_64", cpuinfo("avx2 fma"))).toBe(null);
  expect(await missingInstructions("x86_64", cpuinfo("avx fma"))).toBe("the CPU has no AVX2");
  expect(await missingInstructions("x86_64", cpuinfo("avx"))).toBe("the CPU has no AVX2 and no FMA");
  expect(await missingInstructions("x86_64", "")).toBe(null);
  expect(await missingInstructions("aarch64", "")).toContain("and this one is aarch64");
});

Deno.test("the choice is remembered for a machine, and a damaged file is ignored", async () => {
  const folder = await Deno.makeTempDir(), file = `${folder}/new/vectors.json`;
  const here = machine(), choice = { bits: 128, note: "a reason" } as const;
  expect(await readVectors(file, here)).toBe(null);
  await writeVectors(file, here, choice);
  expect(await readVectors(file, here)).toEqual(choice);
  for (const other of [{ deno: "0.0.1" }, { v8: "1.0" }, { cpu: "Another" }, { arch: "aarch64" }]) {
    expect(await readVectors(file, { ...here, ...other })).toBe(null);
  }
  for (const text of ["", "{", "null", JSON.stringify({ ...here, bits: 512, note: null })]) {
    await Deno.writeTextFile(file, text);
    expect(await readVectors(file, here)).toBe(null);
  }
  expect((await Array.fromAsync(Deno.readDir(`${folder}/new`))).map(({ name }) => name)).toEqual([
    "vectors.json",
  ]);
  // A folder that cannot be written is no error.
  await writeVectors("/proc/none/vectors.json", here, choice);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("auto probes in a child once, and uses what is remembered", async () => {
  const folder = await Deno.makeTempDir();
  const first = await chooseVectors("auto", `${folder}/a.json`);
  expect(first.bits === 256).toBe(first.note === null);
  expect(await readVectors(`${folder}/a.json`, machine())).toEqual(
    await missingInstructions() ? null : first,
  );
  expect(chooseVectors("auto", `${folder}/a.json`)).toBe(chooseVectors("auto", `${folder}/a.json`));
  if (await missingInstructions() === null) {
    const remembered = { bits: 128, note: "remembered" } as const;
    await writeVectors(`${folder}/b.json`, machine(), remembered);
    expect(await chooseVectors("auto", `${folder}/b.json`)).toEqual(remembered);
    expect(await chooseVectors("256", null)).toEqual({ bits: 256, note: null });
  } else await expect(chooseVectors("256", null)).rejects.toThrow(VectorsError);
  expect(await chooseVectors("128", null)).toEqual({ bits: 128, note: null });
  await Deno.remove(folder, { recursive: true });
});

Deno.test("only a child with 256 bits has V8's flags", () => {
  expect(vectorFlags(128)).toEqual([]);
  expect(vectorFlags(256)).toContain("--experimental-wasm-revectorize");
});
