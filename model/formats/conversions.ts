/**
 * Converts tensors between our layout and that of a format.
 *
 * @module
 */
import { sizeOf } from "../shape.ts";
import type { HostTensor } from "../weights.ts";
import type { ExportedTensor, ImportedTensor } from "./format.ts";
import type { Correspondence } from "./naming.ts";

/** Returns how a tensor of ours is made of stored ones. @param sourceOf returns the name in the file */
export function importedTensor(
  { name, shape, stored, layout }: Correspondence,
  sourceOf: (name: string) => string = (name) => name,
): ImportedTensor {
  const sources = stored.map(({ name }) => sourceOf(name));
  const convert = (tensors: readonly HostTensor[]): HostTensor => {
    switch (layout) {
      case "same":
        return { shape, data: tensors[0].data };
      case "rows":
        return { shape, data: concatenate(tensors, sizeOf(shape)) };
      case "patches":
        return { shape, data: moveChannels(tensors[0].data, stored[0].shape, "last") };
      case "zeros":
        return { shape, data: new Float32Array(sizeOf(shape)) };
      case "patch rows": {
        const data = new Float32Array(sizeOf(shape));
        data.set(tensors[0].data, data.length - tensors[0].data.length);
        return { shape, data };
      }
    }
  };
  return { name, shape, sources, convert };
}

/** Returns how the stored tensors are made of ours. */
export function exportedTensors({ name, stored, layout }: Correspondence): ExportedTensor[] {
  return stored.map((target, part): ExportedTensor => {
    const size = sizeOf(target.shape);
    const convert = ([{ data }]: readonly HostTensor[]): HostTensor => {
      switch (layout) {
        case "rows":
          return { shape: target.shape, data: data.subarray(part * size, (part + 1) * size) };
        case "patches":
          return { shape: target.shape, data: moveChannels(data, target.shape, "first") };
        default:
          return { shape: target.shape, data };
      }
    };
    return { name: target.name, shape: target.shape, sources: [name], convert };
  });
}

function concatenate(tensors: readonly HostTensor[], size: number): Float32Array {
  const data = new Float32Array(size);
  let offset = 0;
  for (const tensor of tensors) {
    data.set(tensor.data, offset);
    offset += tensor.data.length;
  }
  return data;
}

/**
 * Moves the channels of a patch embedding: before the pixels as in a convolution, or behind them as in our patches.
 *
 * @param shape of the convolution, `[embedDim, channels, P, P]`
 */
function moveChannels(data: Float32Array, shape: readonly number[], to: "first" | "last"): Float32Array {
  const [rows, channels, height, width] = shape, pixels = height * width;
  const moved = new Float32Array(data.length);
  for (let row = 0; row < rows; row++) {
    const start = row * channels * pixels;
    for (let channel = 0; channel < channels; channel++) {
      for (let pixel = 0; pixel < pixels; pixel++) {
        const first = start + channel * pixels + pixel, last = start + pixel * channels + channel;
        if (to === "last") moved[last] = data[first];
        else moved[first] = data[last];
      }
    }
  }
  return moved;
}
