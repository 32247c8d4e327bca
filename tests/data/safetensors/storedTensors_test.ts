import { expect } from "expect";
import type { Bytes } from "../../../data/bytes.ts";
import { LocalStore } from "../../../data/objects/local/localStore.ts";
import {
  readSafetensors,
  SafetensorsError,
  writeSafetensors,
} from "../../../data/safetensors/safetensors.ts";
import { openStoredTensors } from "../../../data/safetensors/storedTensors.ts";

const FILE = writeSafetensors(
  new Map([
    ["a", { dtype: "F32", shape: [2, 3], data: Float32Array.from({ length: 6 }, (_, i) => i) }],
    ["b", { dtype: "U8", shape: [3], data: Uint8Array.of(1, 2, 3) }],
    ["empty", { dtype: "F32", shape: [0], data: new Float32Array() }],
  ]),
  { step: "7" },
);

/** A store with one object, whose body arrives in chunks. */
class ChunkedStore extends LocalStore {
  constructor(readonly bytes: Bytes, readonly chunkSize: number) {
    super("/nowhere");
  }
  override get(key: string) {
    const { bytes, chunkSize } = this;
    const chunks = Array.from(
      { length: Math.ceil(bytes.length / chunkSize) },
      (_, i) => bytes.slice(i * chunkSize, (i + 1) * chunkSize),
    );
    const body = ReadableStream.from(chunks) as ReadableStream<Bytes>;
    return Promise.resolve({ key, size: bytes.length, etag: "", modifiedAt: new Date(0), body });
  }
}

async function readAll(bytes: Bytes, chunkSize: number) {
  const seen: number[] = [];
  await using file = await openStoredTensors(
    new ChunkedStore(bytes, chunkSize),
    "x",
    (part) => seen.push(...part),
  );
  const tensors = new Map(await Array.fromAsync(file.read()));
  return { tensors, metadata: file.metadata, seen };
}

Deno.test("a stored file has the same tensors when it is read one tensor after the other", async () => {
  for (const chunkSize of [1, 7, 64, 1000]) {
    const { tensors, metadata, seen } = await readAll(FILE, chunkSize);
    expect({ tensors, metadata }).toEqual(readSafetensors(FILE));
    expect(seen).toEqual([...FILE]);
  }
});

Deno.test("a stored file that violates a rule of the format is rejected like one in memory", async () => {
  const damaged = [
    FILE.slice(0, 3),
    FILE.slice(0, 20),
    FILE.slice(0, -1),
    FILE.with(8, 0x21),
    FILE.with(7, 1),
  ];
  for (const bytes of damaged) {
    let message = "";
    try {
      readSafetensors(bytes);
    } catch (error) {
      message = (error as Error).message;
    }
    const error = await readAll(bytes, 16).catch((error) => error);
    expect(error).toBeInstanceOf(SafetensorsError);
    expect(error.message).toBe(message);
  }
});
