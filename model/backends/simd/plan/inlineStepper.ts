/**
 * Training in planned steps that are too small for threads: they run in the thread of the training. The plan is that of
 * a training with one thread, see `plannedStepper.ts`.
 *
 * @module
 */
import { headFlops } from "../../../flops.ts";
import { adamwScalars } from "../../../ops/adamw.ts";
import { batchSizeOf, objective, type TrainingBatch } from "../../../training/objective.ts";
import type { OptimizerState } from "../../../training/optimizer.ts";
import type { InlineStepper, RunStep, StepperOptions } from "../../../training/stepper.ts";
import type { HostTensor } from "../../../weights.ts";
import { instantiate, type Kernels } from "../instance.ts";
import { compile, type Program } from "./compile.ts";
import { writeFeeds } from "./feeds.ts";
import type { Graph } from "./graph.ts";
import { bindCalls, updateShare } from "./kernelCalls.ts";
import { type OptimizerShare, optimizerShare } from "./messages.ts";
import { planTraining, type TrainingPlan } from "./planTraining.ts";
import { CHUNK_WEIGHT } from "./record.ts";
import { TrainingMemory } from "./trainingMemory.ts";
import { recordStep } from "./trainingSpec.ts";

/**
 * Maximum number of floating-point operations of a step. Above it, two threads are faster in spite of the messages and
 * the barrier of a step.
 */
const MAX_FLOPS = 16e6;
/** Maximum size of the logits of a step in bytes: a step is computed as one chunk. */
const MAX_LOGIT_BYTES = 2 ** 19;

/** A step over batches of one size. */
interface CompiledStep {
  readonly graph: Graph;
  readonly program: Program;
  readonly calls: readonly (() => void)[];
  /** Index of the weight of the loss in the memory, in floats. */
  readonly weight: number;
  /** Index of the loss. */
  readonly loss: number;
}

/** Whether the steps of a training run in its thread: small steps on features, for which the host prepares nothing. */
export function isInline({ task: { input, config, architecture }, batchSize }: StepperOptions): boolean {
  if (input !== "features" || architecture.model !== "classifier") return false;
  const { classes } = architecture;
  return 2 * batchSize * headFlops(config, classes) <= MAX_FLOPS &&
    4 * batchSize * classes <= MAX_LOGIT_BYTES;
}

/** A stepper without threads of its own. */
export class PlannedInlineStepper implements InlineStepper {
  readonly note = null;
  readonly threads = 1;
  readonly #plan: TrainingPlan;
  readonly #memory: TrainingMemory;
  readonly #floats: Float32Array;
  readonly #kernels: Kernels;
  readonly #parameters: OptimizerShare;
  /** By the number of images of a batch. */
  readonly #compiled = new Map<number, CompiledStep>();
  #completedSteps: number;

  private constructor(
    plan: TrainingPlan,
    { state }: StepperOptions,
    module: WebAssembly.Module,
  ) {
    this.#plan = plan;
    this.#completedSteps = state?.step ?? 0;
    this.#memory = new TrainingMemory(plan.layout, plan.requirements.constantBytes);
    this.#floats = new Float32Array(this.#memory.memory.buffer);
    this.#kernels = instantiate(module, this.#memory.memory);
    this.#parameters = optimizerShare(plan.layout, 0, 1);
    this.#compile(plan.graph, plan.chunkImages);
  }

  /**
   * Plans a training.
   *
   * @param module kernels for shared memory
   * @throws {PlanError} when an operation has no kernel
   */
  static async open(options: StepperOptions, module: WebAssembly.Module): Promise<PlannedInlineStepper> {
    const plan = planTraining({ ...options, threads: 1 });
    const stepper = new PlannedInlineStepper(plan, options, module);
    await stepper.#memory.writeWeights(options.weights, options.state);
    return stepper;
  }

  run(batch: TrainingBatch, epoch: number, step: number, lr: number): number {
    const { spec, chunkImages } = this.#plan, images = batchSizeOf(spec.task, batch);
    if (images > chunkImages) {
      throw new RangeError(`The batch has ${images} images, but the plan is for at most ${chunkImages}`);
    }
    const compiled = this.#compiled.get(images) ?? this.#compile(recordStep(spec, images), images);
    return this.#run(compiled, batch, epoch, step, lr);
  }

  prepare(batch: TrainingBatch, epoch: number, step: number): Promise<RunStep> {
    return Promise.resolve((lr) => Promise.try(() => this.run(batch, epoch, step, lr)));
  }

  #run(
    { graph, program, calls, weight, loss: lossIndex }: CompiledStep,
    batch: TrainingBatch,
    epoch: number,
    step: number,
    lr: number,
  ) {
    const { spec: { task, optimizer }, layout } = this.#plan, floats = this.#floats;
    writeFeeds(
      floats.buffer,
      layout.worker.feeds,
      graph,
      program,
      (allocate) => objective(task, batch, epoch, step, undefined, allocate),
    );
    floats[weight] = 1;
    for (const call of calls) call();
    const loss = floats[lossIndex];
    if (!Number.isFinite(loss)) return loss;
    const { weightDecay, betas, eps } = optimizer;
    const scalars = adamwScalars({ weightDecay, betas, eps, lr, step: ++this.#completedSteps });
    updateShare(this.#kernels, this.#parameters, 1, scalars);
    return loss;
  }

  #compile(graph: Graph, images: number): CompiledStep {
    const addresses = { ...this.#memory.addressesOf(0), largest: this.#plan.graph };
    const program = compile(graph, addresses, true);
    const compiled: CompiledStep = {
      graph,
      program,
      calls: bindCalls(this.#kernels, program.calls),
      weight: (addresses.feeds + program.feedOffsets.get(CHUNK_WEIGHT)!) / 4,
      loss: program.outputAddresses[0] / 4,
    };
    this.#compiled.set(images, compiled);
    return compiled;
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
    return Promise.resolve();
  }
}
