/**
 * Selects the number of threads and the size of the chunks of a training.
 *
 * @module
 */
import { sizeOf } from "../../../shape.ts";
import { PlanError } from "../../../planError.ts";
import type { StepperOptions } from "../../../training/stepper.ts";
import { chunkCount } from "./chunks.ts";
import { measure } from "./compile.ts";
import type { Graph } from "./graph.ts";
import { MAX_BYTES, type MemoryLayout, type MemoryRequirements, planMemory } from "./memoryLayout.ts";
import { recordStep, type TrainingSpec, trainingSpec } from "./trainingSpec.ts";

/** Minimum target for the results of a chunk in bytes. Measured step times vary little around it. */
const CHUNK_BYTES = 4 * 2 ** 20;

/** The plan of a training. */
export interface TrainingPlan {
  readonly spec: TrainingSpec;
  readonly threads: number;
  /** Maximum number of images of a chunk. */
  readonly chunkImages: number;
  /** The graph of a chunk of that size. */
  readonly graph: Graph;
  readonly requirements: MemoryRequirements;
  readonly layout: MemoryLayout;
}

/**
 * Plans a training. Where the memory is too small, it halves the chunks first, then reduces the number of threads.
 *
 * @throws {PlanError} when the training does not fit into 4 GiB, or an operation has no kernel
 */
export async function planTraining(options: StepperOptions): Promise<TrainingPlan> {
  const { batchSize, trainable, frozen } = options, spec = trainingSpec(options);
  const maxThreads = Math.max(1, Math.min(options.threads, batchSize));
  const maxImages = Math.ceil(batchSize / maxThreads);
  const paramBytes = 4 * trainable.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const targetBytes = Math.max(CHUNK_BYTES, 2 * paramBytes);
  // A small chunk serves to estimate the bytes per image.
  let recordedImages = Math.min(8, maxImages);
  let graph = await recordStep(spec, recordedImages);
  const bytesPerImage = measure(graph).resultBytes / recordedImages;
  const targetImages = Math.max(1, Math.min(maxImages, Math.floor(targetBytes / bytesPerImage)));
  for (let threads = maxThreads; threads > 0; threads--) {
    for (let chunkImages = targetImages; chunkImages > 0; chunkImages = Math.floor(chunkImages / 2)) {
      if (chunkImages !== recordedImages) graph = await recordStep(spec, recordedImages = chunkImages);
      const chunks = chunkCount(batchSize, threads, chunkImages);
      const requirements = { threads, chunks, ...measure(graph) };
      const layout = planMemory(trainable, frozen, requirements);
      if (layout.bytes <= MAX_BYTES) return { spec, threads, chunkImages, graph, requirements, layout };
    }
  }
  throw new PlanError("a planned step needs more than 4 GiB");
}
