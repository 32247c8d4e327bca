import { Buffer } from "node:buffer";
import { join } from "node:path";
import { expect } from "expect";
import {
  readHeader,
  readSafetensors,
  SafetensorsError,
  safetensorsFile,
  type Tensor,
  writeSafetensors,
} from "../../../data/safetensors/safetensors.ts";
import { file, REFUSED } from "./refused.ts";
import { findPython, runPython } from "../../setup/python.ts";

for (const [title, [bytes, message]] of Object.entries(REFUSED)) {
  Deno.test(`safetensors: refuses ${title}`, () => {
    let error: unknown;
    try {
      readSafetensors(bytes);
    } catch (caught) {
      error = caught;
    }
    expect(error).toBeInstanceOf(SafetensorsError);
    expect((error as Error).message).toMatch(message);
    expect((error as Error).message.length).toBeLessThan(400);
  });
}

function example(): Map<string, Tensor> {
  return new Map<string, Tensor>([
    ["b.weight", { dtype: "F32", shape: [2, 3], data: new Float32Array([1, -2, 0.5, 1e-45, 3.4e38, -0]) }],
    ["a.weight", { dtype: "F32", shape: [1], data: new Float32Array([7]) }],
    ["ids", { dtype: "I64", shape: [2], data: new BigInt64Array([-1n, 2n ** 62n]) }],
    ["restore", { dtype: "I32", shape: [3], data: new Int32Array([2, 0, -1]) }],
    ["double", { dtype: "F64", shape: [1], data: new Float64Array([Math.PI]) }],
    ["pixels", { dtype: "U8", shape: [1, 1, 3], data: new Uint8Array([0, 128, 255]) }],
    ["half", { dtype: "F16", shape: [1], data: new Uint16Array([0x3c00]) }],
    ["yes", { dtype: "BOOL", shape: [2], data: new Uint8Array([1, 0]) }],
    ["scalar", { dtype: "F32", shape: [], data: new Float32Array([42]) }],
    ["empty", { dtype: "F32", shape: [0, 5], data: new Float32Array() }],
    ["__proto__", { dtype: "U8", shape: [1], data: new Uint8Array([9]) }],
    ["10", { dtype: "U8", shape: [1], data: new Uint8Array([10]) }],
    ['ü "quoted"\n', { dtype: "U8", shape: [1], data: new Uint8Array([11]) }],
  ]);
}

Deno.test("safetensors: a written file is read back with the same names, shapes and bits", () => {
  const metadata = { config: '{"embed_dim":64}', ["__proto__"]: "text", format: "pt" };
  const read = readSafetensors(writeSafetensors(example(), metadata));
  expect(Object.entries(read.metadata).sort()).toEqual(Object.entries(metadata).sort());
  expect([...read.tensors.keys()].sort()).toEqual([...example().keys()].sort());
  for (const [name, tensor] of example()) {
    const found = read.tensors.get(name)!;
    expect([found.dtype, found.shape]).toEqual([tensor.dtype, tensor.shape]);
    expect(found.data).toEqual(tensor.data);
    expect(Object.is(found.data.at(-1), tensor.data.at(-1))).toBe(true);
  }
});

Deno.test("safetensors: the bytes do not depend on the order of tensors and metadata", () => {
  const first = writeSafetensors(example(), { a: "1", b: "2" });
  const second = writeSafetensors(new Map([...example()].reverse()), { b: "2", a: "1" });
  expect(second).toEqual(first);
});

Deno.test("safetensors: tensors are aligned to 8 bytes by spaces, larger types first", () => {
  for (let length = 1; length <= 8; length++) {
    const name = "n".repeat(length);
    const bytes = writeSafetensors(new Map([[name, { dtype: "U8", shape: [1], data: new Uint8Array([5]) }]]));
    const header = Number(new DataView(bytes.buffer).getBigUint64(0, true));
    expect(header % 8).toBe(0);
    expect(new TextDecoder().decode(bytes.subarray(8, 8 + header))).toMatch(/^\{.*\} {0,7}$/);
    expect(bytes[8 + header]).toBe(5);
  }
  const { tensors } = readHeader(writeSafetensors(example()));
  const dtypes = [...tensors.values()].map(({ dtype }) => dtype);
  expect(dtypes.filter((dtype, i) => dtype !== dtypes[i - 1])).toEqual([
    "I64",
    "F64",
    "F32",
    "I32",
    "F16",
    "U8",
    "BOOL",
  ]);
});

Deno.test("safetensors: tensors may be unaligned, and in any order of the header", () => {
  const header =
    '{"b":{"dtype":"F32","shape":[2],"data_offsets":[1,9]},"a":{"dtype":"I8","shape":[1],"data_offsets":[0,1]}}';
  for (const spaces of [0, 1, 2, 3]) {
    const data = new Uint8Array([255, ...new Uint8Array(new Float32Array([1.5, -2]).buffer)]);
    const { tensors } = readSafetensors(file(header + " ".repeat(spaces), data));
    expect([...tensors.keys()]).toEqual(["a", "b"]);
    expect(tensors.get("a")?.data).toEqual(new Int8Array([-1]));
    expect(tensors.get("b")?.data).toEqual(new Float32Array([1.5, -2]));
  }
});

Deno.test("safetensors: a file may be a view of a larger buffer", () => {
  const bytes = writeSafetensors(example(), { a: "b" });
  const larger = new Uint8Array(bytes.length + 20);
  larger.set(bytes, 11);
  const { tensors, metadata } = readSafetensors(larger.subarray(11, 11 + bytes.length));
  expect(metadata).toEqual({ a: "b" });
  for (const [name, { data }] of example()) expect(tensors.get(name)?.data).toEqual(data);
});

Deno.test("safetensors: a header length may look like the first bytes of a pickle", () => {
  for (const length of [0x0280, 0x4b50]) {
    const { metadata } = readSafetensors(file('{"__metadata__":{"a":"b"}}'.padEnd(length)));
    expect(metadata).toEqual({ a: "b" });
  }
});

Deno.test("safetensors: a file may have no tensors", () => {
  const { tensors, metadata } = readSafetensors(writeSafetensors(new Map()));
  expect([tensors.size, metadata]).toEqual([0, {}]);
});

Deno.test("safetensors: a header can be read without the tensors", () => {
  const bytes = writeSafetensors(example(), { config: "{}" });
  const length = 8 + Number(new DataView(bytes.buffer).getBigUint64(0, true));
  const { tensors, metadata } = readHeader(bytes.subarray(0, length), bytes.length);
  expect(metadata).toEqual({ config: "{}" });
  expect(tensors.get("ids")).toEqual({ dtype: "I64", shape: [2], begin: length, end: length + 16 });
  expect(() => readHeader(bytes.subarray(0, length - 1), bytes.length)).toThrow("is incomplete");
});

Deno.test("safetensors: NaN and infinities can be refused, with their index", () => {
  const cases: Tensor[] = [
    { dtype: "F32", shape: [3], data: new Float32Array([0, 1, NaN]) },
    { dtype: "F32", shape: [3], data: new Float32Array([0, 1, -Infinity]) },
    { dtype: "F64", shape: [3], data: new Float64Array([0, 1, Infinity]) },
    { dtype: "F16", shape: [3], data: new Uint16Array([0, 0x7bff, 0x7c00]) },
    { dtype: "BF16", shape: [3], data: new Uint16Array([0, 0x7f7f, 0xffc0]) },
  ];
  for (const tensor of cases) {
    const bytes = writeSafetensors(new Map([["w", tensor]]));
    expect(readSafetensors(bytes).tensors.size).toBe(1);
    expect(() => readSafetensors(bytes, { finite: true })).toThrow("'w' must be finite: value 2");
  }
  expect(readSafetensors(writeSafetensors(example()), { finite: true }).tensors.size).toBe(example().size);
});

Deno.test("safetensors: an invalid file cannot be written", () => {
  const data = new Float32Array(4);
  const write = (name: string, tensor: unknown) => () =>
    writeSafetensors(new Map([[name, tensor as Tensor]]));
  expect(write("w", { dtype: "F32", shape: [3], data })).toThrow(
    "'w' of shape [3] must have 3 values: it has 4",
  );
  expect(write("w", { dtype: "I32", shape: [4], data })).toThrow("'w' of I32 must be a Int32Array");
  expect(write("w", { dtype: "F31", shape: [4], data })).toThrow("unknown dtype 'F31'");
  expect(write("w", { dtype: "F32", shape: [-4], data })).toThrow("shape of whole numbers");
  expect(write("w", { dtype: "F32", shape: [0.5, 8], data })).toThrow("shape of whole numbers");
  expect(write("__metadata__", { dtype: "F32", shape: [4], data })).toThrow("cannot be named");
  expect(write("\ud800", { dtype: "F32", shape: [4], data })).toThrow("Unicode text");
  expect(write("n".repeat(8388608), { dtype: "F32", shape: [4], data })).toThrow("at most 8388608 bytes");
  expect(() => writeSafetensors(new Map(), { steps: 5 as never })).toThrow("Unicode text");
});

const python = await findPython();

Deno.test({
  name: "safetensors: the official Python library reads the file and writes the same bytes",
  ignore: python === null,
  fn: async () => {
    const folder = await Deno.makeTempDir();
    try {
      const tensors = example();
      tensors.delete("__proto__");
      const ours = join(folder, "ours.safetensors");
      const theirs = join(folder, "theirs.safetensors");
      await Deno.writeFile(ours, writeSafetensors(tensors, { config: '{"ü":1}' }));
      const script = `
import sys, json
from safetensors import safe_open
from safetensors.numpy import load_file, save_file
tensors = load_file(sys.argv[1])
with safe_open(sys.argv[1], "np") as f: metadata = f.metadata()
save_file(tensors, sys.argv[2], metadata)
print(json.dumps({k: [str(v.dtype), list(v.shape), v.flatten().tolist()] for k, v in tensors.items()}))`;
      const seen = JSON.parse(await runPython(python!, script, ours, theirs));
      expect(Object.keys(seen).sort()).toEqual([...tensors.keys()].sort());
      expect(seen["b.weight"].slice(0, 2)).toEqual(["float32", [2, 3]]);
      expect(seen["b.weight"][2].map(Math.fround)).toEqual([...tensors.get("b.weight")!.data]);
      expect(seen.restore).toEqual(["int32", [3], [2, 0, -1]]);
      expect(seen.half).toEqual(["float16", [1], [1]]);
      expect(seen.yes).toEqual(["bool", [2], [true, false]]);
      expect(seen.scalar).toEqual(["float32", [], [42]]);
      expect(seen.empty).toEqual(["float32", [0, 5], []]);
      expect(await Deno.readFile(theirs)).toEqual(await Deno.readFile(ours));
    } finally {
      await Deno.remove(folder, { recursive: true });
    }
  },
});

const reference = join(Deno.env.get("UNMASK_SHARED") ?? "../shared", "reference");
const present = await Deno.stat(join(reference, "tiny.safetensors")).then(() => true, () => false);

Deno.test({
  name: "safetensors: the reference files of PyTorch are read",
  ignore: !present,
  fn: async () => {
    for (const name of ["tiny", "mnist", "rgb"]) {
      const bytes = await Deno.readFile(join(reference, `${name}.safetensors`));
      const { tensors, metadata } = readSafetensors(bytes, { finite: true });
      const config = JSON.parse(metadata.config);
      expect(config).toBeInstanceOf(Object);
      expect(tensors.get("losses")).toMatchObject({ dtype: "F32", shape: [10] });
      expect(tensors.get("ids_restore")?.dtype).toBe("I32");
      expect(tensors.get("noise")?.shape[0]).toBe(10);
      const again = readSafetensors(writeSafetensors(tensors, metadata));
      for (const [key, tensor] of tensors) expect(again.tensors.get(key)?.shape).toEqual(tensor.shape);
      expect(again.tensors.size).toBe(tensors.size);
    }
  },
});

Deno.test("a file is written in chunks from memory that threads share", () => {
  const size = 700_001, data = new Float32Array(new SharedArrayBuffer(4 * size + 64), 64, size);
  data.forEach((_, i) => data[i] = i);
  const shared = new Map([["a", { dtype: "F32", shape: [size], data } as const]]);
  const copied = new Map([["a", { dtype: "F32", shape: [size], data: new Float32Array(data) } as const]]);
  const { size: bytes, chunks } = safetensorsFile(shared, { step: "1" });
  const parts = [...chunks()], expected = writeSafetensors(copied, { step: "1" });
  expect(Math.max(...parts.map((part) => part.length))).toBe(2 ** 20);
  expect(parts.every((part) => part.buffer instanceof ArrayBuffer)).toBe(true);
  expect(bytes).toBe(expected.length);
  expect(Buffer.compare(Buffer.concat(parts), expected)).toBe(0);
});
