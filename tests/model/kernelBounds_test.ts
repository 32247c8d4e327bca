import { expect } from "expect";
import { PLAIN, RELAXED, WIDE, WIDE_64 } from "../../model/backends/simd/binary.ts";
import { instantiate, type KernelName, supportsAddresses64 } from "../../model/backends/simd/instance.ts";
import { OVERREAD } from "../../model/backends/simd/plan/allocation.ts";
import { uniform } from "../../model/random.ts";
import { type Buffer, type Draw, input, type KernelCase, result } from "./kernelCase.ts";
import { CASES } from "./kernelCases.ts";

const PAGES = 20, BYTES = 65536 * PAGES;
/** Bytes between two buffers: a multiple of 4, but not of a vector. */
const GAP = 132;
/** A NaN. A kernel that uses a value beyond a buffer returns NaN, and one that writes there changes it. */
const GUARD = 0x7fc12345;

/** Every build of the kernels, on a memory of its own. */
const BUILDS = Object.entries({ RELAXED, PLAIN, WIDE, ...(supportsAddresses64() ? { WIDE_64 } : {}) })
  .map(([name, text]) => {
    const pages = name === "WIDE_64" ? BigInt(PAGES) : PAGES;
    const descriptor = {
      initial: pages,
      maximum: pages,
      shared: true,
      address: name === "WIDE_64" ? "i64" : "i32",
    };
    const memory = new WebAssembly.Memory(descriptor as unknown as WebAssembly.MemoryDescriptor);
    return {
      name,
      memory,
      kernels: instantiate(new WebAssembly.Module(Uint8Array.fromBase64(text)), memory),
    };
  });

type Build = typeof BUILDS[number];

/** Sizes at and beside the edges of vectors, tiles and panels, and primes. */
const SIZES = [
  ...[1, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 15, 16, 17, 19, 23, 24, 25, 31, 32, 33, 47, 48, 49],
  ...[63, 64, 65, 67, 71, 72, 73, 97, 103, 113, 127, 128, 129, 139, 256, 257, 263, 293],
];

/** Returns a source of sizes and values that depends on the seed alone. */
function drawOf(purpose: string, seed: number): Draw {
  let drawn = 0;
  const next = (length: number) => uniform({ seed, purpose, step: drawn++ }, length);
  const below = (below: number) => Math.floor(next(1)[0] * below);
  return {
    below,
    size(max) {
      const sizes = SIZES.filter((size) => size <= max);
      return sizes[below(sizes.length)];
    },
    values: (length) => next(length).map((value) => 2 * value - 1),
  };
}

/** Returns the index of the first word that is not a guard; -1 if all are. A callback for each word would be slow. */
function firstChange(words: Int32Array): number {
  for (let i = 0; i < words.length; i++) if (words[i] !== GUARD) return i;
  return -1;
}

/** Returns how the values of a buffer are wrong; null if they are right. */
function faultOf({ kind, values }: Buffer, found: Float32Array, expected: ArrayLike<number>): string | null {
  if (kind === "scratch") return null;
  if (kind === "input") {
    const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
    const after = new Uint8Array(found.buffer, found.byteOffset, found.byteLength);
    return bytes.every((byte, i) => byte === after[i]) ? null : "was written";
  }
  const largest = Array.from(expected).reduce((max, value) => Math.max(max, Math.abs(value)), 1);
  const isClose = (value: number, i: number) =>
    Object.is(value, expected[i]) || Math.abs(value - expected[i]) < 2e-5 * largest;
  const wrong = found.findIndex((value, i) => !isClose(value, i));
  return wrong < 0 ? null : `[${wrong}] is ${found[wrong]} instead of ${expected[wrong]}`;
}

/**
 * Makes the calls of a case with guards around its buffers. The buffer `last` ends `OVERREAD` bytes before the end of the
 * memory, where a read beyond it traps. Returns what is wrong.
 */
function faultsOf(
  { buffers, calls, expected }: KernelCase,
  last: string,
  { memory, kernels }: Build,
): string[] {
  const words = new Int32Array(memory.buffer).fill(GUARD), at: Record<string, number> = {};
  let end = BYTES - OVERREAD;
  for (const name of [last, ...Object.keys(buffers).filter((name) => name !== last)]) {
    const { values } = buffers[name];
    at[name] = end - values.byteLength;
    end = at[name] - GAP;
    words.set(new Int32Array(values.buffer, values.byteOffset, values.length), at[name] / 4);
  }
  if (end < 0) throw new RangeError("The buffers do not fit into the memory");
  try {
    for (const [name, ...args] of calls(at)) kernels[name](...args);
  } catch (error) {
    return [`${error}`];
  }
  const faults: string[] = [];
  for (const [name, buffer] of Object.entries(buffers)) {
    const { length } = buffer.values, found = new Float32Array(memory.buffer, at[name], length);
    const fault = faultOf(buffer, found, expected[name]);
    if (fault !== null) faults.push(`${name} ${fault}`);
    words.fill(GUARD, at[name] / 4, at[name] / 4 + length);
  }
  const written = firstChange(words);
  if (written >= 0) faults.push(`address ${4 * written} was written outside of ${JSON.stringify(at)}`);
  return faults;
}

/** Tests a case in every build, with every buffer at the end of the memory. */
function check(kernelCase: KernelCase): void {
  for (const build of BUILDS) {
    for (const last of Object.keys(kernelCase.buffers)) {
      const faults = faultsOf(kernelCase, last, build);
      expect({ build: build.name, sizes: kernelCase.sizes, last, faults }).toMatchObject({ faults: [] });
    }
  }
}

for (const name of Object.keys(CASES) as KernelName[]) {
  Deno.test(`${name} is right at any size, and stays within its buffers`, () => {
    for (let seed = 0; seed < 30; seed++) check(CASES[name](drawOf(name, seed)));
  });
}

Deno.test("cross-entropy with a label that is not a class is NaN, and stays within its buffers", () => {
  for (const label of [-1, 3, 2 ** 31 - 1, -(2 ** 31)]) {
    check({
      sizes: `label ${label}`,
      buffers: {
        logits: input(new Float32Array(6)),
        labels: input(Int32Array.of(1, label)),
        loss: result(new Float32Array(1)),
        grad: result(new Float32Array(6)),
      },
      calls: (at) => [["crossEntropy", 2, 3, at.logits, at.labels, at.loss, at.grad]],
      expected: { loss: [NaN], grad: [1, -2, 1, 1, 1, 1].map((value) => value / 6) },
    });
  }
});
