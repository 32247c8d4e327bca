import { expect } from "expect";
import { SafetensorsError } from "../../../data/safetensors/error.ts";
import { type Tensor, writeSafetensors } from "../../../data/safetensors/safetensors.ts";
import { openTensorFiles } from "../../../data/safetensors/tensorFiles.ts";

const vector = (...values: number[]): Tensor => ({
  dtype: "F32",
  shape: [values.length],
  data: new Float32Array(values),
});

/** Calls `run` with a folder that has files of the given tensors. */
async function withFiles(
  files: Readonly<Record<string, Readonly<Record<string, Tensor>>>>,
  run: (files: { name: string; path: string }[]) => Promise<void>,
): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    const written: { name: string; path: string }[] = [];
    for (const [name, tensors] of Object.entries(files)) {
      const path = `${folder}/${written.length}`;
      await Deno.writeFile(path, writeSafetensors(new Map(Object.entries(tensors)), { of: name }));
      written.push({ name, path });
    }
    await run(written);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("the tensors of several files are one set, with an index and without it", async () => {
  await withFiles({ one: { a: vector(1, 2) }, two: { b: vector(3) } }, async (files) => {
    const index = JSON.stringify({ metadata: { total_size: 12 }, weight_map: { b: "two", a: "one" } });
    for (const text of [index, undefined]) {
      await using opened = await openTensorFiles(files, text);
      expect([...opened.tensors.keys()]).toEqual(["a", "b"]);
      expect([opened.fileOf("a"), opened.fileOf("b"), opened.metadata.of]).toEqual(["one", "two", "one"]);
      const read = await Promise.all(["b", "a"].map((name) => opened.read(name, 0, 1)));
      expect(read).toEqual([vector(3), vector(1)]);
      expect(await opened.read("a", 1, 2)).toEqual(vector(2));
      await expect(opened.read("c", 0, 1)).rejects.toThrow(RangeError);
    }
  });
});

Deno.test("a contradiction between the files and their index is named", async (t) => {
  const map = (weight_map: Record<string, unknown>) => JSON.stringify({ weight_map });
  const right = { a: "one", b: "two" };
  const outside = [
    "../one",
    "/one",
    "x/one",
    "C:\\one",
    "..\\one",
    "one\\",
    ".",
    "..",
    "https://h/one",
    "",
    5,
    null,
    ["one"],
  ];
  const cases: [string, string, RegExp][] = [
    ...outside.map((name): [string, string, RegExp] => [
      `a file named ${JSON.stringify(name)}`,
      map({ ...right, a: name }),
      /index must map "a" to the name of a file in its own folder: current value is/,
    ]),
    ["a NUL character", map({ ...right, a: "one\0" }), /weight_map\.a must not contain a NUL/],
    [
      "a missing file",
      map({ ...right, a: "three" }),
      /names the file "three", which is missing: send it as well/,
    ],
    [
      "another file of a tensor",
      map({ ...right, a: "two" }),
      /maps the tensor "a" to 'two', which does not have it/,
    ],
    [
      "a tensor without file",
      map({ ...right, c: "one" }),
      /maps the tensor "c" to 'one', which does not have it/,
    ],
    ["a tensor that is not named", map({ a: "one" }), /lacks the tensor "b" of 'two'/],
    ["no weight_map", "{}", /must be a JSON object with the object weight_map/],
    ["an empty weight_map", map({}), /weight_map/],
    ["a list", "[]", /must be a JSON object/],
    ["a list as weight_map", '{"weight_map":["one"]}', /the object weight_map/],
    ["no JSON", "weights", /The index is not JSON/],
    ["equal keys", '{"weight_map":{"a":"one","a":"two","b":"two"}}', /weight_map.a is given more than once/],
    ["a prototype", '{"weight_map":{"__proto__":"one"}}', /weight_map.__proto__/],
    [
      "many entries",
      map(Object.fromEntries(Array.from({ length: 200_000 }, (_, i) => [i, "one"]))),
      /100000/,
    ],
  ];
  await withFiles({ one: { a: vector(1) }, two: { b: vector(2) } }, async (files) => {
    for (const [name, index, pattern] of cases) {
      await t.step(name, async () => {
        const error = await openTensorFiles(files, index).catch((error) => error);
        expect(error).toBeInstanceOf(SafetensorsError);
        expect(error.message).toMatch(pattern);
        expect(error.message.length).toBeLessThan(400);
      });
    }
  });
});

Deno.test("two files with the same tensor or name are refused", async () => {
  await withFiles({ one: { a: vector(1) }, two: { a: vector(1) } }, async (files) => {
    const [one] = files;
    await expect(openTensorFiles(files)).rejects.toThrow(
      "The files 'one' and 'two' both have the tensor \"a\"",
    );
    await expect(openTensorFiles([one, one])).rejects.toThrow("Two files are named 'one'");
  });
});

Deno.test("shards without an index are refused if one is missing by its name", async () => {
  const one = "model-00001-of-00002.safetensors", two = "model-00002-of-00002.safetensors";
  await withFiles({ [one]: { a: vector(1) }, [two]: { b: vector(1) } }, async (files) => {
    for (const file of files) {
      await expect(openTensorFiles([file])).rejects.toThrow(
        `The file '${file.name}' is one of 2 shards: send all of them, or the address of their index`,
      );
    }
    await using opened = await openTensorFiles(files);
    expect([...opened.tensors.keys()].sort()).toEqual(["a", "b"]);
  });
});

Deno.test("a file above 4 GiB is read without being in memory", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const path = `${folder}/0`, big = 5 * 2 ** 30;
    const header = new TextEncoder().encode(JSON.stringify({
      big: { dtype: "F32", shape: [big / 4], data_offsets: [0, big] },
      last: { dtype: "F32", shape: [2], data_offsets: [big, big + 8] },
    }));
    const length = new Uint8Array(8);
    new DataView(length.buffer).setBigUint64(0, BigInt(header.length), true);
    using file = await Deno.open(path, { write: true, create: true });
    for (const bytes of [length, header]) await file.write(bytes);
    await file.seek(8 + header.length + big, Deno.SeekMode.Start);
    await file.write(new Uint8Array(new Float32Array([1, 2]).buffer));
    await using opened = await openTensorFiles([{ name: "sparse", path }]);
    expect(opened.tensors.get("big")!.shape).toEqual([big / 4]);
    expect(await opened.read("last", 0, 2)).toEqual(vector(1, 2));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});

Deno.test("the headers of all files together have a maximum size", async () => {
  const folder = await Deno.makeTempDir();
  const files: { name: string; path: string }[] = [];
  for (const name of ["1", "2", "3"]) {
    const path = `${folder}/${name}`;
    await Deno.writeFile(path, writeSafetensors(new Map([[name, vector()]]), { a: "x".repeat(6 * 2 ** 20) }));
    files.push({ name, path });
  }
  await (await openTensorFiles(files.slice(1)))[Symbol.asyncDispose]();
  await expect(openTensorFiles(files)).rejects.toThrow("together exceed 16777216 bytes");
  await Deno.remove(folder, { recursive: true });
});
