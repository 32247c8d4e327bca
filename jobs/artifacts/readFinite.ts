/**
 * Reads the tensors of files that are imported.
 *
 * @module
 */
import { yieldToEventLoop } from "../../data/eventLoop.ts";
import type { TensorFiles } from "../../data/safetensors/tensorFiles.ts";
import { toFloat32 } from "../../data/safetensors/toFloat32.ts";
import { WeightsError } from "../../model/checkWeights.ts";
import { sizeOf } from "../../model/shape.ts";
import type { HostTensor } from "../../model/weights.ts";

/** Number of values that are read and checked at a time, so that other requests are served in between. */
const PART_VALUES = 2 ** 20;

/** Returns a tensor in float32. @throws {WeightsError} when a value is NaN or infinite */
export async function readFinite(files: TensorFiles, name: string): Promise<HostTensor> {
  const { shape } = files.tensors.get(name)!, data = new Float32Array(sizeOf(shape));
  for (let begin = 0; begin < data.length; begin += PART_VALUES) {
    const part = toFloat32(await files.read(name, begin, Math.min(begin + PART_VALUES, data.length)));
    const index = part.findIndex((value) => !Number.isFinite(value));
    if (index >= 0) {
      throw new WeightsError(
        `The tensor '${name}' of '${files.fileOf(name)}' must be finite: value ${begin + index} is ${
          part[index]
        } in float32`,
      );
    }
    data.set(part, begin);
    await yieldToEventLoop();
  }
  return { shape, data };
}
