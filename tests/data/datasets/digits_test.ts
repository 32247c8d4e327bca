import { expect } from "expect";
import { DIGITS_TEST_COUNT, DIGITS_TRAIN_COUNT, openDigits } from "../../../data/datasets/builtIn/digits.ts";
import { drawDigit } from "../../../data/datasets/builtIn/drawDigit.ts";

const INPUT = { imageSize: 28, channels: 1 } as const;

Deno.test("digits have a description before any image is drawn", () => {
  expect(openDigits(500).info).toMatchObject({
    id: "digits",
    height: 28,
    width: 28,
    channels: 1,
    splits: { train: { count: 500 }, test: { count: DIGITS_TEST_COUNT } },
    labelled: true,
    numClasses: 10,
    classNames: ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
  });
  expect(openDigits().info.splits.train.count).toBe(DIGITS_TRAIN_COUNT);
});

Deno.test("each digit depends on seed, split and index, and all digits differ", () => {
  const distinct = new Set<string>();
  for (const seed of [0, 1, 2 ** 32 - 1]) {
    for (const split of ["train", "test"] as const) {
      for (let index = 0; index < 40; index++) {
        const { label, pixels } = drawDigit(seed, split, index);
        expect(drawDigit(seed, split, index)).toEqual({ label, pixels });
        distinct.add(pixels.toHex());
      }
    }
  }
  expect(distinct.size).toBe(3 * 2 * 40);
});

Deno.test("both splits are like MNIST: centred digits on black, with classes of similar size", async () => {
  const digits = openDigits(DIGITS_TEST_COUNT, 7);
  for (const split of ["train", "test"] as const) {
    const { pixels, labels, count } = await digits.load(split, INPUT);
    expect([count, pixels.length, labels!.length]).toEqual([
      DIGITS_TEST_COUNT,
      DIGITS_TEST_COUNT * 784,
      DIGITS_TEST_COUNT,
    ]);
    const counts = new Array<number>(10).fill(0);
    labels!.forEach((label) => counts[label]++);
    // The expected count is 200 with a deviation of 13. The tolerance is five deviations.
    for (const each of counts) expect(Math.abs(each - count / 10)).toBeLessThan(65);
    const sides = new Float64Array(784);
    let black = 0;
    pixels.forEach((value, i) => {
      sides[i % 784] += value;
      black += Number(value === 0);
    });
    // In MNIST, 81 % of the pixels are black.
    expect(black / pixels.length).toBeGreaterThan(0.6);
    expect(black / pixels.length).toBeLessThan(0.95);
    const mean = (from: number, to: number) => {
      let sum = 0;
      for (let y = from; y < to; y++) for (let x = from; x < to; x++) sum += sides[y * 28 + x];
      return sum / count / (to - from) ** 2;
    };
    expect(mean(8, 20)).toBeGreaterThan(50);
    const corner = Math.max(sides[0], sides[27], sides[27 * 28], sides[783]) / count;
    expect(corner).toBeLessThan(10);
  }
});

Deno.test("images of one class are more similar than images of two classes", () => {
  const drawn = Array.from({ length: 300 }, (_, index) => drawDigit(5, "train", index));
  const distance = { same: [0, 0], other: [0, 0] };
  drawn.forEach((a, i) => {
    for (const b of drawn.slice(i + 1, i + 40)) {
      const sums = distance[a.label === b.label ? "same" : "other"];
      sums[0] += a.pixels.reduce((sum, value, p) => sum + (value - b.pixels[p]) ** 2, 0);
      sums[1]++;
    }
  });
  const same = distance.same[0] / distance.same[1], other = distance.other[0] / distance.other[1];
  expect(same).toBeLessThan(0.85 * other);
});

Deno.test("loaded and read digits are equal and have the input shape of the model", async () => {
  const digits = openDigits(12, 3);
  const plain = await digits.load("train", INPUT);
  for (const imageSize of [14, 28, 32, 64]) {
    for (const channels of [1, 3] as const) {
      const values = imageSize ** 2 * channels;
      const all = await digits.load("train", { imageSize, channels });
      expect(all).toMatchObject({ imageSize, channels, count: 12 });
      expect(all.labels).toEqual(plain.labels);
      const some = await digits.read("train", [11, 0, 11], { imageSize, channels });
      expect([...some.labels!]).toEqual([11, 0, 11].map((index) => plain.labels![index]));
      [11, 0, 11].forEach((index, row) =>
        expect(some.pixels.slice(row * values, (row + 1) * values))
          .toEqual(all.pixels.slice(index * values, (index + 1) * values))
      );
      // A resize keeps the mean value of an image approximately.
      const ink = (pixels: Uint8Array, size: number) => pixels.reduce((sum, value) => sum + value, 0) / size;
      const ratio = ink(all.pixels, all.pixels.length) / ink(plain.pixels, plain.pixels.length);
      expect(Math.abs(ratio - 1)).toBeLessThan(0.05);
    }
  }
  const grey = await digits.load("train", { imageSize: 28, channels: 3 });
  grey.pixels.forEach((value, i) => {
    if (value !== plain.pixels[Math.floor(i / 3)]) throw new Error(`value ${i} is ${value}`);
  });
});

Deno.test("an index outside of the split and a split above the memory limit are refused", async () => {
  const digits = openDigits(10);
  expect((await digits.read("test", [], INPUT)).count).toBe(0);
  for (const index of [-1, 10, 0.5, NaN]) {
    await expect(digits.read("train", [0, index], INPUT)).rejects.toMatchObject({
      name: "DatasetError",
      message: expect.stringContaining("'train' has 10 images"),
    });
  }
  await expect(openDigits(10_000_000).load("train", { imageSize: 224, channels: 3 })).rejects.toThrow(
    /1401\.9 GiB of memory: 10000000 images/,
  );
  const aborted = AbortSignal.abort(new Error("aborted"));
  await expect(digits.load("train", INPUT, aborted)).rejects.toThrow("aborted");
});
