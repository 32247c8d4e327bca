import { expect } from "expect";
import { randomMasking, takeVisible } from "../../model/masking.ts";
import { uniform } from "../../model/random.ts";

Deno.test("masking sorts few and many patches stably", () => {
  for (const patches of [5, 64, 65, 300]) {
    // Each value occurs about three times, which tests the order of equal values.
    const draws = uniform({ seed: 7, purpose: "ties" }, patches);
    const noise = draws.map((value) => Math.floor(value * patches / 3) / patches);
    const sorted = [...noise.keys()].sort((a, b) => noise[a] - noise[b] || a - b);
    const { idsKeep, idsRestore } = randomMasking(noise, 1, patches, 0.4);
    expect([...idsKeep]).toEqual(sorted.slice(0, idsKeep.length));
    sorted.forEach((patch, rank) => expect(idsRestore[patch]).toBe(rank));
  }
});

Deno.test("masking keeps the patches with the smallest noise, and every patch about equally often", () => {
  const noise = uniform({ seed: 3, purpose: "mask" }, 4000 * 9);
  const { keep, idsKeep, idsRestore, mask } = randomMasking(noise, 4000, 9, 0.75);
  expect(keep).toBe(2);
  const counts = new Array(9).fill(0);
  for (let b = 0; b < 4000; b++) {
    const row = [...noise.slice(b * 9, b * 9 + 9)];
    const order = row.map((_, i) => i).sort((i, j) => row[i] - row[j]);
    expect([...idsKeep.slice(b * 2, b * 2 + 2)]).toEqual(order.slice(0, 2));
    for (let i = 0; i < 9; i++) {
      expect(order[idsRestore[b * 9 + i]]).toBe(i);
      expect(mask[b * 9 + i]).toBe(order.indexOf(i) < 2 ? 0 : 1);
      counts[i] += 1 - mask[b * 9 + i];
    }
  }
  // 4000 · 2 / 9 = 889, deviation 26
  for (const count of counts) expect(Math.abs(count - 889)).toBeLessThan(130);
});

Deno.test("equal noise is ordered by index, and visible rows have the shuffled order", () => {
  const masking = randomMasking(new Float32Array(4), 1, 4, 0.5);
  expect([...masking.idsKeep]).toEqual([0, 1]);
  const shuffled = randomMasking(Float32Array.of(0.9, 0.1, 0.5, 0.3), 1, 4, 0.5);
  expect([...takeVisible(Float32Array.of(0, 0, 1, 1, 2, 2, 3, 3), shuffled, 2)]).toEqual([1, 1, 3, 3]);
});
