import { expect } from "expect";
import { type Bytes, concatBytes } from "../../data/bytes.ts";
import { storedZip, type ZipMember } from "../../data/storedZip.ts";
import { unzip } from "../setup/unzip.ts";

const json = new TextEncoder().encode('{"a":1}\n');

/** A member of `count` chunks of `size` bytes. */
function streamed(name: string, size: number, count: number, onOpen = () => {}): ZipMember {
  return {
    name,
    size: size * count,
    async *chunks() {
      onOpen();
      for (let i = 0; i < count; i++) yield await Promise.resolve(new Uint8Array(size).fill(i));
    },
  };
}

Deno.test("a zip has the size that it declares, its members and the same bytes every time", async () => {
  let opened = 0;
  const members = [{ name: "config.json", bytes: json }, streamed("model.bin", 70_000, 5, () => opened++)];
  const { size, chunks } = storedZip(members);
  expect(opened).toBe(0);
  const zip = concatBytes(await Array.fromAsync(chunks()));
  expect(zip.length).toBe(size);
  expect(concatBytes(await Array.fromAsync(storedZip(members).chunks()))).toEqual(zip);
  expect(opened).toBe(2);
  const model = concatBytes(Array.from({ length: 5 }, (_, i) => new Uint8Array(70_000).fill(i)));
  expect(await unzip(zip)).toEqual({ "config.json": json, "model.bin": model });
});

Deno.test("an error of a member's stream ends the zip with that error", async () => {
  async function* chunks() {
    yield await Promise.resolve(new Uint8Array(10));
    throw new RangeError("The file is damaged");
  }
  const zip = storedZip([{ name: "a", bytes: json }, { name: "b", size: 100, chunks }]);
  await expect(Array.fromAsync(zip.chunks())).rejects.toThrow("The file is damaged");
});

Deno.test("a stream of another size than declared ends the zip with an error", async () => {
  const { chunks } = streamed("b", 10, 2) as { chunks(): AsyncIterable<Bytes> };
  for (const size of [19, 21]) {
    const zip = storedZip([{ name: "b", size, chunks }]);
    await expect(Array.fromAsync(zip.chunks())).rejects.toThrow("unexpected number of bytes");
  }
});

Deno.test("a zip that is not read to its end closes the stream of its member", async () => {
  let closed = false;
  async function* endless() {
    try {
      while (true) yield await Promise.resolve(new Uint8Array(2 ** 16));
    } finally {
      closed = true;
    }
  }
  const zip = storedZip([{ name: "b", size: 2 ** 40, chunks: endless }]);
  let read = 0;
  for await (const chunk of zip.chunks()) if ((read += chunk.length) > 2 ** 20) break;
  for (let i = 0; i < 50 && !closed; i++) await new Promise((resolve) => setTimeout(resolve, 10));
  expect(closed).toBe(true);
});

Deno.test("a member of 4 GiB and more has Zip64 fields, which are part of the size", () => {
  const sizeOf = (size: number) =>
    storedZip([{ name: "a", size, chunks: () => ReadableStream.from([]) }]).size - size;
  const small = sizeOf(1000);
  expect(sizeOf(2 ** 32 - 2)).toBe(small + 56 + 20);
  // 8 more bytes in the data descriptor, a Zip64 field of 28 bytes, and the Zip64 end of the directory.
  expect(sizeOf(2 ** 32)).toBe(small + 8 + 28 + 56 + 20);
});
