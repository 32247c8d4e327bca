import { expect } from "expect";
import { concatBytes } from "../../../data/bytes.ts";
import { layoutSafetensors, streamedChunks } from "../../../data/safetensors/layout.ts";
import { type Tensor, writeSafetensors } from "../../../data/safetensors/safetensors.ts";

const tensors = new Map<string, Tensor>([
  ["b", { dtype: "F32", shape: [3, 100_000], data: new Float32Array(300_000).fill(0.5) }],
  ["a", { dtype: "F32", shape: [2], data: Float32Array.of(1, 2) }],
  ["scalar", { dtype: "F16", shape: [], data: Uint16Array.of(0x3c00) }],
  ["empty", { dtype: "F32", shape: [0, 4], data: new Float32Array() }],
]);
const specs = [...tensors].map(([name, { dtype, shape }]) => ({ name, dtype, shape }));

Deno.test("a file that is streamed tensor by tensor has the bytes of one written from memory", async () => {
  const layout = layoutSafetensors(specs, { format: "pt" });
  const reads: string[] = [];
  const chunks = await Array.fromAsync(streamedChunks(layout, ({ name }) => {
    reads.push(name);
    return Promise.resolve(tensors.get(name)!.data);
  }));
  expect(concatBytes(chunks)).toEqual(writeSafetensors(tensors, { format: "pt" }));
  expect(reads).toEqual(layout.tensors.map(({ name }) => name));
  expect(chunks.map((chunk) => chunk.length <= 2 ** 20)).not.toContain(false);
});

Deno.test("streamed values of another number or type are refused", async () => {
  const layout = layoutSafetensors(specs);
  for (const data of [Float32Array.of(1), new Float64Array(300_000)]) {
    await expect(Array.fromAsync(streamedChunks(layout, () => Promise.resolve(data)))).rejects.toThrow(
      /must/,
    );
  }
});
