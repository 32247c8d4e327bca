import { expect } from "expect";
import { sinusoidalPositions } from "../../model/positions.ts";

Deno.test("positions are interleaved sines and cosines of decreasing frequency", () => {
  const table = sinusoidalPositions(5, 6);
  for (let position = 0; position < 5; position++) {
    for (let i = 0; i < 3; i++) {
      const angle = position / 10_000 ** (2 * i / 6);
      expect(table[position * 6 + 2 * i]).toBeCloseTo(Math.sin(angle), 6);
      expect(table[position * 6 + 2 * i + 1]).toBeCloseTo(Math.cos(angle), 6);
    }
  }
});
