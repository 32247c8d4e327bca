/**
 * Training in planned steps. A step is planned once, and every worker replays it on its share of each batch:
 *
 * 1. `record.ts` runs the model's code on a recorder, which appends each operation to a graph.
 * 2. `passes.ts` removes unused operations and fuses residual additions.
 * 3. `planTraining.ts` selects the number of threads and the size of the chunks.
 * 4. `allocation.ts` and `memoryLayout.ts` assign the address of every buffer.
 * 5. `compile.ts` translates the graph to kernel calls, which `worker.ts` makes in each step.
 *
 * The same seed and number of threads give the same bits: a worker adds the gradients of its images in their order,
 * and the optimiser adds the gradients of the workers in their order. With another number of threads the order of the
 * additions differs, and the results agree up to float32 rounding.
 *
 * @module
 */
import { adamwScalars } from "../../../ops/adamw.ts";
import { batchSizeOf, objective, type TrainingBatch } from "../../../training/objective.ts";
import type { OptimizerState } from "../../../training/optimizer.ts";
import type { RunStep, Stepper, StepperOptions } from "../../../training/stepper.ts";
import type { HostTensor } from "../../../weights.ts";
import { type AddressBits, loadKernels } from "../instance.ts";
import type { VectorBits } from "../vectorFlags.ts";
import { newControl } from "./barrier.ts";
import { splitBatch } from "./chunks.ts";
import { compile, type Program } from "./compile.ts";
import { writeFeeds } from "./feeds.ts";
import type { Graph } from "./graph.ts";
import { optimizerShare, stepLoss, type ToWorker } from "./messages.ts";
import { type PlanOptions, planTraining, type TrainingPlan } from "./planTraining.ts";
import { CHUNK_WEIGHT } from "./record.ts";
import { TrainingMemory } from "./trainingMemory.ts";
import { recordStep } from "./trainingSpec.ts";
import { WorkerPool } from "./workerPool.ts";

/** The compiled step over a chunk. */
interface CompiledStep {
  readonly graph: Graph;
  /** The program of the first worker. */
  readonly program: Program;
}

/** A stepper that runs planned steps. */
export class PlannedStepper implements Stepper {
  readonly note = null;
  readonly threads: number;
  /** Size of the shared memory in bytes. */
  readonly bytes: number;
  /** Width of the memory's addresses. */
  readonly addressBits: AddressBits;
  readonly #plan: TrainingPlan;
  readonly #memory: TrainingMemory;
  readonly #pool: WorkerPool;
  readonly #losses: Float64Array<SharedArrayBuffer>;
  /** By the number of images of a chunk. */
  readonly #compiled = new Map<number, CompiledStep>();
  /** Index of the feed buffer that is filled next. */
  #feedBuffer = 0;
  #completedSteps: number;

  private constructor(plan: TrainingPlan, { state }: StepperOptions) {
    this.#plan = plan;
    this.threads = plan.threads;
    this.bytes = plan.layout.bytes;
    this.addressBits = plan.addressBits;
    this.#completedSteps = state?.step ?? 0;
    this.#memory = new TrainingMemory(plan.layout, plan.requirements.constantBytes, plan.addressBits);
    this.#losses = new Float64Array(new SharedArrayBuffer(8 * plan.requirements.chunks));
    this.#pool = new WorkerPool(plan.threads);
  }

  /**
   * Plans a training and starts its workers.
   *
   * @param vectorBits width of the vectors for which the kernels are built
   * @throws {PlanError} when an operation has no kernel
   * @throws {TrainingError} `out_of_memory`
   */
  static async open(
    options: StepperOptions,
    vectorBits: VectorBits = 128,
    planOptions?: PlanOptions,
  ): Promise<PlannedStepper> {
    const stepper = new PlannedStepper(planTraining(options, planOptions), options);
    try {
      await stepper.#start(options, vectorBits);
      return stepper;
    } catch (error) {
      await stepper.dispose();
      throw error;
    }
  }

  async #start({ weights, state }: StepperOptions, vectorBits: VectorBits): Promise<void> {
    const { layout, threads, graph, chunkImages, addressBits } = this.#plan;
    await this.#memory.writeWeights(weights, state);
    const module = loadKernels({ vectorBits, addressBits }), control = newControl();
    const shared = { module, memory: this.#memory.memory, control, losses: this.#losses, threads };
    await this.#pool.broadcast(Array.from({ length: threads }, (_, index): ToWorker => {
      const grads = { address: layout.worker.grads + index * layout.workerStride, size: layout.size };
      return { type: "start", share: optimizerShare(layout, index, threads), grads, ...shared };
    }));
    this.#compile(graph, chunkImages);
  }

  prepare(batch: TrainingBatch, epoch: number, step: number): Promise<RunStep> {
    return Promise.try(() => this.#prepare(batch, epoch, step));
  }

  #prepare(batch: TrainingBatch, epoch: number, step: number): RunStep {
    const { spec: { task, batchSize, optimizer }, threads, chunkImages, layout, requirements } = this.#plan;
    const images = batchSizeOf(task, batch);
    if (images > batchSize) {
      throw new RangeError(`The batch has ${images} images, but the plan is for at most ${batchSize}`);
    }
    const firstFeeds = layout.feeds[this.#feedBuffer];
    this.#feedBuffer = 1 - this.#feedBuffer;
    const chunks = splitBatch(images, threads, chunkImages).map((ofWorker) =>
      ofWorker.map((chunk) => ({ ...chunk, feeds: firstFeeds + chunk.index * requirements.feedBytes }))
    );
    for (const chunk of chunks.flat()) {
      const { graph, program } = this.#compiledFor(chunk.images);
      writeFeeds(
        this.#memory.memory.buffer,
        chunk.feeds,
        graph,
        program,
        (allocate) => objective(task, batch, epoch, step, chunk, allocate),
      );
    }
    return async (lr) => {
      const scalars = adamwScalars({ ...optimizer, lr, step: this.#completedSteps + 1 });
      this.#losses.fill(0);
      await this.#pool.broadcast(chunks.map((chunks) => ({ type: "step", images, chunks, scalars })));
      const loss = stepLoss(this.#losses);
      if (Number.isFinite(loss)) this.#completedSteps++;
      return Math.fround(loss);
    };
  }

  weights(): Promise<Map<string, HostTensor>> {
    return Promise.resolve(this.#views(this.#plan.layout.params));
  }

  state(): Promise<OptimizerState> {
    const { expAvg, expAvgSq } = this.#plan.layout;
    return Promise.resolve({
      step: this.#completedSteps,
      expAvg: this.#views(expAvg),
      expAvgSq: this.#views(expAvgSq),
    });
  }

  #views(base: number): Map<string, HostTensor> {
    return this.#memory.views(base, this.#plan.spec.trainable);
  }

  dispose(): Promise<void> {
    this.#pool.dispose();
    return Promise.resolve();
  }

  #compiledFor(images: number): CompiledStep {
    return this.#compiled.get(images) ?? this.#compile(recordStep(this.#plan.spec, images), images);
  }

  /** Compiles a graph for each worker and posts the programs. */
  #compile(graph: Graph, images: number): CompiledStep {
    const programs = Array.from({ length: this.threads }, (_, index) => {
      const addresses = { ...this.#memory.addressesOf(index), largest: this.#plan.graph };
      const program = compile(graph, addresses);
      const { calls, feedBytes, feedOffsets, outputAddresses } = program;
      const overwritingCalls = compile(graph, addresses, true).calls;
      this.#pool.post(index, {
        type: "program",
        images,
        calls,
        overwritingCalls,
        feeds: addresses.feeds,
        feedBytes,
        lossAddress: outputAddresses[0],
        weightAddress: addresses.feeds + feedOffsets.get(CHUNK_WEIGHT)!,
      });
      return program;
    });
    const compiled = { graph, program: programs[0] };
    this.#compiled.set(images, compiled);
    return compiled;
  }
}
