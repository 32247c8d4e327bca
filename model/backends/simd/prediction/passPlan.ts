/**
 * Selects the size of the chunks of a forward pass, and how the threads divide them.
 *
 * @module
 */
import type { BufferAddresses } from "../plan/compile.ts";
import { measure } from "../plan/compile.ts";
import type { ModelMemory } from "./modelMemory.ts";
import { flopsOf, type Pass, type PassModel, recordPass } from "./pass.ts";

/** Target for the results of a chunk in bytes, if each thread computes its own chunks. */
const CHUNK_BYTES = 2 ** 20;

/** Target for the results of a chunk in bytes, if the threads compute chunks together. */
const SHARED_CHUNK_BYTES = 32 * 2 ** 20;

/** Minimum number of floating-point operations of an image that several threads compute together. */
const TOGETHER_FLOPS = 1e8;

/** The plan of a pass. */
export interface PassPlan {
  readonly pass: Pass;
  /** Floating-point operations of an image. */
  readonly flops: number;
  /** Whether the threads compute each chunk together: they divide the rows of every operation. */
  readonly together: boolean;
  /** Maximum number of images of a chunk. */
  readonly chunkImages: number;
  /** Bytes per image of inputs and output. */
  readonly imageBytes: number;
  /** Address of the inputs and results of all chunks of a round. */
  readonly chunks: number;
  /** Returns the addresses for the programs of a thread. */
  addressesOf(thread: number): BufferAddresses;
}

/** Plans a pass. @throws {PlanError} when an operation has no kernel */
export function planPass(
  model: PassModel,
  memory: ModelMemory,
  pass: Pass,
  threads: number,
): PassPlan {
  const flops = flopsOf(model.config, pass), together = threads > 1 && flops >= TOGETHER_FLOPS;
  const ofOne = recordPass(model, pass, 1), sizesOfOne = measure(ofOne);
  const target = together ? SHARED_CHUNK_BYTES : CHUNK_BYTES;
  const chunkImages = Math.max(1, Math.floor(target / sizesOfOne.resultBytes));
  const largest = chunkImages === 1 ? ofOne : recordPass(model, pass, chunkImages);
  const { feedBytes, resultBytes, scratchBytes } = measure(largest);
  const shared = together ? feedBytes + resultBytes : 0;
  const stride = together ? scratchBytes : feedBytes + resultBytes + scratchBytes;
  return {
    pass,
    flops,
    together,
    chunkImages,
    imageBytes: sizesOfOne.feedBytes + 4 * ofOne.outputs[0].size,
    chunks: memory.buffers + shared + threads * stride,
    addressesOf(thread) {
      const own = memory.buffers + shared + thread * stride, feeds = together ? memory.buffers : own;
      return {
        largest,
        parameter: (name) => memory.parameter(name),
        gradient: () => 0,
        constant: (data) => memory.constant(data),
        feeds,
        results: feeds + feedBytes,
        scratch: together ? own : feeds + feedBytes + resultBytes,
      };
    },
  };
}
