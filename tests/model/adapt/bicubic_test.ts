import { expect } from "expect";
import { readSafetensors } from "../../../data/safetensors/safetensors.ts";
import { interpolateGrid } from "../../../model/adapt/bicubic.ts";

Deno.test("grids are interpolated as PyTorch does it, up, down, and with odd sizes", async () => {
  const file = await Deno.readFile(new URL("../../fixtures/bicubic.safetensors", import.meta.url));
  const { tensors } = readSafetensors(file);
  const names = [...tensors.keys()].filter((name) => name.endsWith(".grid"));
  expect(names.length).toBe(10);
  for (const name of names) {
    const [from, to] = name.split(".")[0].split("-").map(Number);
    const grid = tensors.get(name)!.data as Float32Array;
    const expected = tensors.get(name.replace("grid", "result"))!.data as Float32Array;
    const result = interpolateGrid(grid, from, to, 2);
    expect(result.length).toBe(expected.length);
    const error = Math.max(...result.map((value, i) => Math.abs(value - expected[i])));
    expect({ name, isClose: error < 1e-6, error }).toMatchObject({ isClose: true });
  }
});
