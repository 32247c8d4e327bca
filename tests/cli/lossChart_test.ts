import { expect } from "expect";
import { lossChart, ticks } from "../../cli/demo/lossChart.ts";

Deno.test("a loss chart has a point for each step and a dot for each epoch, inside its frame", () => {
  const steps = Array.from({ length: 50 }, (_, i) => ({ step: i + 1, loss: 1 / (i + 1) }));
  const svg = lossChart("a <title> & more", steps, [{ step: 25, loss: 0.1 }, { step: 50, loss: 0.05 }]);
  expect(svg.match(/<circle /g)!.length).toBe(2);
  const path = /<path d="([^"]+)"/.exec(svg)![1];
  const points = [...path.matchAll(/[ML]([\d.]+) ([\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]);
  expect(points.length).toBe(50);
  const [width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg)!.slice(1).map(Number);
  for (const [x, y] of points) {
    expect(x >= 0 && x <= width && y >= 0 && y <= height).toBe(true);
  }
  expect(points.every(([x, y], i) => i === 0 || (x > points[i - 1][0] && y > points[i - 1][1]))).toBe(true);
  expect(svg).not.toContain("<title>");
  expect(() => lossChart("", [], [])).toThrow("without a step");
  expect(ticks(0, 1, 5)).toEqual([0, 0.2, 0.4, 0.6000000000000001, 0.8, 1]);
});
