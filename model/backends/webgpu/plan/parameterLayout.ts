/**
 * The layout of the parameters and of their gradients in flat buffers.
 *
 * @module
 */
import { PlanError } from "../../../planError.ts";
import { type Shape, sizeOf } from "../../../shape.ts";
import { UPDATE_VALUES } from "../kernels/update.ts";

/** A range of floats in a segment. */
export interface Place {
  /** Index of the segment. */
  readonly segment: number;
  /** Offset and size in floats. */
  readonly offset: number;
  readonly size: number;
}

/** Places of arrays in flat buffers, which are called segments. */
export interface FlatLayout {
  /** Number of floats of each segment. */
  readonly segments: readonly number[];
  readonly places: ReadonlyMap<string, Place>;
}

const aligned = (size: number) => Math.ceil(size / UPDATE_VALUES) * UPDATE_VALUES;

/**
 * Lays out arrays one after the other, in one segment if the device's limits permit it.
 *
 * @param maxBytes size of the largest buffer that a program may bind
 * @throws {PlanError} when one array is larger than that
 */
export function layOut(sizes: Iterable<readonly [string, number]>, maxBytes: number): FlatLayout {
  const segments: number[] = [], places = new Map<string, Place>();
  for (const [name, size] of sizes) {
    const padded = aligned(size), last = segments.length - 1;
    if (4 * padded > maxBytes) {
      throw new PlanError(`${name} is larger than the ${maxBytes} bytes of a buffer`);
    }
    const fits = last >= 0 && 4 * (segments[last] + padded) <= maxBytes;
    const segment = fits ? last : segments.push(0) - 1;
    places.set(name, { segment, offset: segments[segment], size });
    segments[segment] += padded;
  }
  return { segments, places };
}

/** Lays out parameters. Half of the largest buffer is left for partial gradients, whose segments are the same. */
export function parameterLayout(shapes: Iterable<readonly [string, Shape]>, maxBytes: number): FlatLayout {
  return layOut([...shapes].map(([name, shape]) => [name, sizeOf(shape)] as const), maxBytes / 2);
}

/** The partial gradients of a step: their places, and the table of the update for each segment. */
export interface GradientLayout extends FlatLayout {
  /** Four numbers for each workgroup of the update; see `kernels/update.ts`. */
  readonly tables: readonly Uint32Array<ArrayBuffer>[];
}

/**
 * Lays out partial gradients in the segments of their parameters.
 *
 * @param splits number of partial gradients of each parameter
 * @throws {PlanError} when a segment does not fit in a buffer
 */
export function gradientLayout(
  parameters: FlatLayout,
  splits: ReadonlyMap<string, number>,
  maxBytes: number,
): GradientLayout {
  const tables = parameters.segments.map((size) => new Uint32Array(4 * size / UPDATE_VALUES));
  const segments = parameters.segments.map(() => 0), places = new Map<string, Place>();
  for (const [name, { segment, offset, size }] of parameters.places) {
    const count = splits.get(name)!, start = segments[segment];
    places.set(name, { segment, offset: start, size: count * size });
    segments[segment] += aligned(count * size);
    for (let first = 0; first < size; first += UPDATE_VALUES) {
      const entry = [start + first, size, count, Math.min(UPDATE_VALUES, size - first)];
      tables[segment].set(entry, 4 * (offset + first) / UPDATE_VALUES);
    }
  }
  if (4 * Math.max(0, ...segments) > maxBytes) {
    throw new PlanError(`the partial gradients are larger than the ${maxBytes} bytes of a buffer`);
  }
  return { segments, places, tables };
}
