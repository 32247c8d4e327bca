import { expect } from "expect";
import type { PlannedDispatch } from "../../model/backends/webgpu/plan/dispatches.ts";
import { gradientLayout, parameterLayout } from "../../model/backends/webgpu/plan/parameterLayout.ts";
import { assignSlots } from "../../model/backends/webgpu/plan/slots.ts";
import { MULTIPLY } from "../../model/backends/webgpu/kernels/elementwise.ts";
import type { Value } from "../../model/backends/simd/plan/graph.ts";
import { PlanError } from "../../model/planError.ts";
import { sizeOf } from "../../model/shape.ts";

const SHAPES = [["a", [10, 30]], ["b", [7]], ["c", [40, 20]], ["d", [513]]] as const;
const SPLITS = new Map([["a", 1], ["b", 3], ["c", 2], ["d", 1]]);

Deno.test("every parameter is updated once, from its partial gradients, for any size of the device's buffers", () => {
  for (const maxBytes of [2 ** 30, 16384, 9000]) {
    const parameters = parameterLayout(SHAPES, maxBytes),
      gradients = gradientLayout(parameters, SPLITS, maxBytes);
    expect(parameters.segments.length > 1).toBe(maxBytes < 2 ** 30);
    for (const size of [...parameters.segments, ...gradients.segments]) {
      expect(4 * size).toBeLessThanOrEqual(maxBytes);
    }
    const updates = parameters.segments.map((size) => new Array<number[]>(size));
    gradients.tables.forEach((table, segment) => {
      for (let group = 0; group < table.length / 4; group++) {
        const [first, stride, count, values] = table.subarray(4 * group, 4 * group + 4);
        for (let i = 0; i < values; i++) {
          updates[segment][256 * group + i] = Array.from(
            { length: count },
            (_, split) => first + split * stride + i,
          );
        }
      }
    });
    for (const [name, shape] of SHAPES) {
      const { segment, offset, size } = parameters.places.get(name)!, place = gradients.places.get(name)!;
      expect({ size, offset: offset % 256, segment }).toEqual({
        size: sizeOf(shape),
        offset: 0,
        segment: place.segment,
      });
      for (let i = 0; i < size; i++) {
        const expected = Array.from(
          { length: SPLITS.get(name)! },
          (_, split) => place.offset + split * size + i,
        );
        expect(updates[segment][offset + i]).toEqual(expected);
      }
    }
  }
  expect(() => parameterLayout(SHAPES, 4096)).toThrow(PlanError);
});

Deno.test("results share a buffer only if their lifetimes are disjoint", () => {
  const value = (size: number): Value => ({ size, from: { kind: "result" } });
  const [a, b, c, d] = [8, 8, 8, 3].map(value);
  const dispatch = (reads: Value[], writes: Value[]): PlannedDispatch => ({
    program: MULTIPLY,
    uniforms: [],
    groups: 1,
    reads,
    writes,
  });
  const { bytes, slotOf } = assignSlots([
    dispatch([], [a]),
    dispatch([a], [b]),
    dispatch([b], [c]),
    dispatch([c], [d]),
  ], new Set([d]));
  expect(slotOf.get(a)).not.toBe(slotOf.get(b));
  expect(slotOf.get(c)).toBe(slotOf.get(a));
  expect(slotOf.get(d)).not.toBe(slotOf.get(c));
  expect(bytes).toEqual([32, 32, 12]);
  // A later plan uses the buffers that exist.
  expect(assignSlots([dispatch([], [d])], new Set([d]), bytes).bytes).toEqual(bytes);
});
