/**
 * Training in planned steps on a device. A step is one command buffer:
 *
 * 1. `simd/plan/record.ts` records the model's code as a graph.
 * 2. `lower.ts` translates the graph to dispatches and fuses operations with the products before them (`fusions.ts`).
 * 3. `slots.ts` and `parameterLayout.ts` assign buffers, and `compile.ts` creates them and the bind groups once.
 * 4. A step copies its inputs to the device, submits the dispatches and returns. Nothing is read back in it.
 * 5. AdamW skips its work from the first loss on that is not finite, and `lossRing.ts` brings the losses to the host.
 *
 * @module
 */
import { adamwScalars } from "../../../ops/adamw.ts";
import {
  batchSizeOf,
  emptyBatch,
  objective,
  type Task,
  type TrainingBatch,
} from "../../../training/objective.ts";
import type { OptimizerState } from "../../../training/optimizer.ts";
import type { RunStep, Stepper, StepperOptions } from "../../../training/stepper.ts";
import { type HostTensor, parameterSpecs } from "../../../weights.ts";
import type { Graph } from "../../simd/plan/graph.ts";
import { record } from "../../simd/plan/record.ts";
import { recordStep, type TrainingSpec, trainingSpec } from "../../simd/plan/trainingSpec.ts";
import type { Program } from "../program.ts";
import { compile, type CompiledStep, type SharedBuffers } from "./compile.ts";
import type { DispatchPlan } from "./dispatches.ts";
import { layOutFeeds } from "./feedBuffer.ts";
import { LossRing } from "./lossRing.ts";
import { lower } from "./lower.ts";
import { Parameters } from "./parameters.ts";
import { checked, type PlanDevice, requireTested, untested } from "./planDevice.ts";
import { maxBytesOf } from "./bindings.ts";
import { SMALL_TASK, testTraining } from "./selfTest.ts";

/**
 * Limits of the steps in flight: their number, the size of their inputs, and their work. A loss arrives at the host about
 * ten milliseconds late, so a GPU needs work for twice that time. More would only delay the losses.
 */
const MAX_IN_FLIGHT = 32, MAX_FED_BYTES = 2 ** 28, MAX_FLOPS = 8e11;

/** Returns the number of steps that may be in flight: at least two. */
function stepsInFlight({ dispatches, feeds }: DispatchPlan): number {
  const flops = dispatches.reduce((sum, { flops = 0 }) => sum + flops, 0);
  const steps = Math.min(MAX_IN_FLIGHT, MAX_FED_BYTES / layOutFeeds(feeds).bytes, MAX_FLOPS / flops);
  return Math.max(2, Math.floor(steps));
}

/** A stepper that submits planned steps to a device. */
export class DeviceStepper implements Stepper {
  readonly note = null;
  readonly threads = 1;
  readonly maxInFlight: number;
  readonly #spec: TrainingSpec;
  readonly #device: PlanDevice;
  readonly #shared: SharedBuffers;
  readonly #losses: LossRing;
  /** By the number of images of a batch. */
  readonly #compiled = new Map<number, CompiledStep>();
  #submittedSteps: number;
  #completedSteps: number;

  private constructor(planDevice: PlanDevice, options: StepperOptions, graph: Graph, plan: DispatchPlan) {
    const { launcher, guard } = planDevice, { device } = launcher.backend;
    const { batchSize, trainable, frozen, state } = options;
    this.#spec = trainingSpec(options);
    this.#device = planDevice;
    this.#submittedSteps = this.#completedSteps = state?.step ?? 0;
    const maxBytes = maxBytesOf(device);
    const parameters = new Parameters(device, trainable, frozen, maxBytes);
    this.maxInFlight = stepsInFlight(plan);
    this.#losses = new LossRing(device, guard, this.maxInFlight);
    const failed = device.createBuffer({ label: "failed", size: 4, usage: GPUBufferUsage.STORAGE });
    this.#shared = { launcher, parameters, losses: this.#losses.buffer, failed, slots: [], maxBytes };
    this.#compiled.set(batchSize, compile(graph, plan, this.#shared));
  }

  /**
   * Plans a training, tests its programs and allocates its buffers.
   *
   * @throws {PlanError} when an operation has no program, or a buffer is too large for the device
   * @throws {BackendError} when the device has too little memory, rejects a program or computes wrong numbers
   */
  static async open(planDevice: PlanDevice, options: StepperOptions): Promise<DeviceStepper> {
    const graph = recordStep(trainingSpec(options), options.batchSize), plan = lower(graph);
    await DeviceStepper.test(planDevice, plan, options.task);
    return await DeviceStepper.#create(planDevice, options, graph, plan);
  }

  /** Allocates the buffers, then reads the weights: after a {@linkcode PlanError} they can still be read. */
  static async #create(
    planDevice: PlanDevice,
    options: StepperOptions,
    graph: Graph,
    plan: DispatchPlan,
  ): Promise<DeviceStepper> {
    const stepper = await checked(planDevice, () => new DeviceStepper(planDevice, options, graph, plan));
    try {
      await stepper.#shared.parameters.write(options.weights, options.state);
    } catch (error) {
      await stepper.dispose();
      throw error;
    }
    return stepper;
  }

  /** Tests the programs of a small training. @throws {BackendError} as `test` does */
  static async testSmall(planDevice: PlanDevice): Promise<void> {
    const { config, architecture } = SMALL_TASK, trainable = parameterSpecs(config, architecture);
    const plan = lower(record(trainable, new Map(), objective(SMALL_TASK, emptyBatch(SMALL_TASK, 1), 0, 0)));
    await DeviceStepper.test(planDevice, plan, SMALL_TASK);
  }

  /**
   * Tests the programs of a plan that were not tested before.
   *
   * @param task a training with these programs
   * @throws {BackendError} when the device rejects a program or computes wrong numbers
   */
  static async test(planDevice: PlanDevice, plan: DispatchPlan, task: Task): Promise<void> {
    if (untested(planDevice, plan).length > 0) {
      const used = new Set<Program>();
      await testTraining(task, async (small, tile) => {
        const graph = recordStep(trainingSpec(small), small.batchSize), plan = lower(graph, () => tile);
        for (const { program } of plan.dispatches) used.add(program);
        return await DeviceStepper.#create(planDevice, small, graph, plan);
      });
      for (const program of used) planDevice.tested.add(program);
    }
    requireTested(planDevice, plan);
  }

  async prepare(batch: TrainingBatch, epoch: number, step: number): Promise<RunStep> {
    const { task, batchSize, optimizer } = this.#spec, images = batchSizeOf(task, batch);
    if (images > batchSize) {
      throw new RangeError(`The batch has ${images} images, but the plan is for at most ${batchSize}`);
    }
    const compiled = await this.#compiledFor(images), part = { first: 0, images };
    compiled.feeds.prepare((allocate) => objective(task, batch, epoch, step, part, allocate));
    return async (lr) => {
      this.#device.guard.check();
      const number = ++this.#submittedSteps;
      const scalars = adamwScalars({ ...optimizer, lr, step: number });
      const mark = this.#losses.markOf(number);
      compiled.feeds.setHeader({ ...scalars, mark, slot: this.#losses.slotOf(number) });
      compiled.feeds.upload();
      compiled.submit();
      const loss = await this.#losses.next(number);
      // After a loss that is not finite, the device skips all updates.
      if (Number.isFinite(loss) && number === this.#completedSteps + 1) this.#completedSteps = number;
      return loss;
    };
  }

  weights(): Promise<Map<string, HostTensor>> {
    return this.#read("values");
  }

  async state(): Promise<OptimizerState> {
    const expAvg = await this.#read("expAvg"), expAvgSq = await this.#read("expAvgSq");
    return { step: this.#completedSteps, expAvg, expAvgSq };
  }

  dispose(): Promise<void> {
    this.#losses.dispose();
    for (const compiled of this.#compiled.values()) compiled.destroy();
    const { parameters, failed, slots } = this.#shared;
    parameters.destroy();
    for (const buffer of [failed, ...slots]) buffer.destroy();
    return Promise.resolve();
  }

  #read(name: "values" | "expAvg" | "expAvgSq"): Promise<Map<string, HostTensor>> {
    const { parameters } = this.#shared;
    return this.#device.guard.run(() => parameters.read(parameters[name]));
  }

  async #compiledFor(images: number): Promise<CompiledStep> {
    const cached = this.#compiled.get(images);
    if (cached) return cached;
    const graph = recordStep(this.#spec, images), plan = lower(graph);
    requireTested(this.#device, plan);
    const compiled = await checked(this.#device, () => compile(graph, plan, this.#shared));
    this.#compiled.set(images, compiled);
    return compiled;
  }
}
