import { expect } from "expect";
import { learningRate } from "../../model/training/schedule.ts";

Deno.test("the learning rate has a linear warm-up, then is constant or half a cosine", () => {
  const schedule = { kind: "cosine", lr: 1, minLr: 0.1, warmupSteps: 4, totalSteps: 14 } as const;
  const rates = Array.from({ length: 14 }, (_, step) => learningRate(schedule, step));
  expect(rates.slice(0, 5)).toEqual([0.25, 0.5, 0.75, 1, 1]);
  expect(rates[9]).toBeCloseTo(0.55, 12);
  expect(rates.slice(4).every((rate, i, rest) => i === 0 || rate < rest[i - 1])).toBe(true);
  expect(rates[13]).toBeGreaterThan(0.1);
  expect(learningRate({ ...schedule, kind: "constant" }, 13)).toBe(1);
});
