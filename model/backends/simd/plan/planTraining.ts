/**
 * Selects the number of threads and the size of the chunks of a training.
 *
 * @module
 */
import { formatGib } from "../../../memory.ts";
import { outOfMemory } from "../../../training/error.ts";
import { sizeOf } from "../../../shape.ts";
import type { StepperOptions } from "../../../training/stepper.ts";
import { type AddressBits, supportsAddresses64 } from "../instance.ts";
import { chunkCount } from "./chunks.ts";
import { measure } from "./compile.ts";
import type { Graph } from "./graph.ts";
import { MAX_BYTES, type MemoryLayout, type MemoryRequirements, planMemory } from "./memoryLayout.ts";
import { recordStep, type TrainingSpec, trainingSpec } from "./trainingSpec.ts";

/** Minimum target for the results of a chunk in bytes. Measured step times vary little around it. */
const CHUNK_BYTES = 4 * 2 ** 20;

/** Options of a plan, for tests. */
export interface PlanOptions {
  /** Width of the memory's addresses. @default 64 only where 32 do not suffice */
  readonly addressBits?: AddressBits;
  /** First address in use. */
  readonly start?: number;
}

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
  readonly addressBits: AddressBits;
}

/** A division of the work to try. */
interface Candidate {
  readonly threads: number;
  /** The smallest chunks, in images, that are worth it. */
  readonly minImages: number;
  /** Whether the memory may have 64-bit addresses. */
  readonly mayBeWide: boolean;
}

/**
 * Returns the divisions to try. All threads come first, with chunks of at least half the target in a memory with 32-bit
 * addresses, then with chunks of any size in one with 64-bit addresses. Then fewer threads are tried.
 */
function candidates(maxThreads: number, targetImages: number): Candidate[] {
  const first = { threads: maxThreads, minImages: targetImages / 2, mayBeWide: false };
  const others = Array.from({ length: maxThreads }, (_, i) => {
    return { threads: maxThreads - i, minImages: 1, mayBeWide: true };
  });
  return [first, ...others];
}

/**
 * Plans a training. Where the memory is too small, it halves the chunks first, then reduces the number of threads.
 * Addresses have 64 bits only in a memory of more than 4 GiB.
 *
 * @throws {PlanError} when an operation has no kernel
 * @throws {TrainingError} `out_of_memory` when the smallest plan exceeds the maximum
 */
export function planTraining(options: StepperOptions, plan: PlanOptions = {}): TrainingPlan {
  const { batchSize, trainable, frozen } = options, spec = trainingSpec(options);
  const maxThreads = Math.max(1, Math.min(options.threads, batchSize));
  const maxImages = Math.ceil(batchSize / maxThreads);
  const paramBytes = 4 * trainable.reduce((sum, { shape }) => sum + sizeOf(shape), 0);
  const targetBytes = Math.max(CHUNK_BYTES, 2 * paramBytes);
  const graphs = new Map<number, Graph>();
  const graphOf = (images: number) => {
    const graph = graphs.get(images) ?? recordStep(spec, images);
    graphs.set(images, graph);
    return graph;
  };
  // A small chunk serves to estimate the bytes per image.
  const sampleImages = Math.min(8, maxImages);
  const bytesPerImage = measure(graphOf(sampleImages)).resultBytes / sampleImages;
  const targetImages = Math.max(1, Math.min(maxImages, Math.floor(targetBytes / bytesPerImage)));
  // The support is tested only for a training that needs it: the test takes milliseconds.
  const limitFor = (mayBeWide: boolean) => {
    const widest = plan.addressBits ?? (mayBeWide && supportsAddresses64() ? 64 : 32);
    return Math.min(MAX_BYTES[widest], options.maxBytes ?? Infinity);
  };
  let smallest = Infinity;
  for (const { threads, minImages, mayBeWide } of candidates(maxThreads, targetImages)) {
    const limit = limitFor(mayBeWide);
    for (
      let chunkImages = targetImages;
      chunkImages >= minImages;
      chunkImages = Math.floor(chunkImages / 2)
    ) {
      const graph = graphOf(chunkImages), chunks = chunkCount(batchSize, threads, chunkImages);
      const requirements = { threads, chunks, ...measure(graph) };
      const layout = planMemory(trainable, frozen, requirements, plan.start);
      smallest = Math.min(smallest, layout.bytes);
      if (layout.bytes > limit) continue;
      const addressBits = plan.addressBits ?? (layout.bytes <= MAX_BYTES[32] ? 32 : 64);
      return { spec, threads, chunkImages, graph, requirements, layout, addressBits };
    }
  }
  throw outOfMemory(smallest, `and may use ${formatGib(limitFor(true))}`);
}
