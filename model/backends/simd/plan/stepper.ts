/**
 * Training in planned steps: recorded once, laid out once, then replayed by every core on its share of each batch.
 *
 * The same seed and number of threads give the same bits: a worker sums its images' gradients in their order, and
 * the workers' sums are added in the workers' order. Another number of threads adds in another order, and agrees to
 * float32 rounding.
 *
 * @module
 */
import { type Allocate, newBuffer } from "../../../mae.ts";
import { objective, type TrainingBatch } from "../../../training/objective.ts";
import { adamwNumbers } from "../../../ops/adamw.ts";
import { drawFactors } from "../../../ops/dropout.ts";
import type { OptimizerState } from "../../../training/optimizer.ts";
import { PlanError, type Stepper, type StepperOptions } from "../../../training/stepper.ts";
import { sizeOf } from "../../../shape.ts";
import { startWorker } from "../../../training/threads.ts";
import type { HostTensor } from "../../../weights.ts";
import { kernelModule } from "../instance.ts";
import type { Graph } from "./graph.ts";
import { bytesOf } from "./layout.ts";
import { type Chunk, CONTROL_LENGTH, stepLoss, type ToWorker } from "./messages.ts";
import { divide, type Division, MOST_BYTES, type Needs } from "./places.ts";
import { compile, type Places, type Program } from "./program.ts";
import { DROPOUT, WEIGHT } from "./record.ts";
import { Team } from "./team.ts";
import { recordImages, type Training, trainingOf } from "./training.ts";

/** Bytes of a chunk's results that are aimed at: measured, and flat around it. */
const CHUNK_BYTES = 4 * 2 ** 20;

/** What is known of a chunk of so many images. */
interface Recorded {
  readonly graph: Graph;
  readonly program: Program;
}

/** Calls the kernels nowhere: tells sizes. */
function measure(graph: Graph) {
  const constants = new Set<Float32Array | Int32Array>();
  const program = compile(graph, {
    parameter: () => 0,
    gradient: () => 0,
    constant: (data) => (constants.add(data), 0),
    feeds: 0,
    results: 0,
    scratch: 0,
  });
  const constantBytes = [...constants].reduce((sum, { length }) => sum + bytesOf(length), 0);
  return { program, constantBytes };
}

/** Training in planned steps. */
export class PlannedStepper implements Stepper {
  readonly note = null;
  readonly threads: number;
  /** Bytes of the memory in which it all lies. */
  readonly bytes: number;
  readonly #options: Training;
  readonly #memory: WebAssembly.Memory;
  readonly #division: Division;
  readonly #needs: Needs;
  readonly #images: number;
  readonly #team: Team;
  readonly #losses: Float64Array<SharedArrayBuffer>;
  readonly #recorded = new Map<number, Promise<Recorded>>();
  readonly #constants: { data: Float32Array | Int32Array; at: number }[] = [];
  #constantsEnd: number;
  #buffer = 0;
  #stepsDone: number;

  private constructor(options: StepperOptions, images: number, needs: Needs, division: Division) {
    this.#options = trainingOf(options);
    this.#images = images;
    this.#needs = needs;
    this.#division = division;
    this.threads = needs.threads;
    this.bytes = division.bytes;
    this.#stepsDone = options.state?.step ?? 0;
    this.#constantsEnd = division.constants;
    this.#memory = new WebAssembly.Memory({
      initial: Math.ceil(division.bytes / 65536),
      maximum: 65536,
      shared: true,
    });
    this.#losses = new Float64Array(new SharedArrayBuffer(8 * needs.chunks));
    this.#team = new Team(needs.threads, options.startThread ?? startWorker);
  }

  /**
   * Plans a training and starts its threads.
   *
   * @throws {PlanError} when it does not fit into a memory, or holds an operation that no kernel computes
   */
  static async open(options: StepperOptions): Promise<PlannedStepper> {
    const { batchSize, trainable, frozen } = options, training = trainingOf(options);
    const threads = Math.max(1, Math.min(options.threads, batchSize));
    const target = Math.max(CHUNK_BYTES, 8 * trainable.reduce((sum, { shape }) => sum + sizeOf(shape), 0));
    const most = Math.ceil(batchSize / threads);
    let images = Math.min(8, most);
    let graph = await recordImages(training, images);
    const each = measure(graph).program.resultBytes / images;
    const fitting = Math.max(1, Math.min(most, Math.floor(target / each)));
    for (let count = threads; count > 0; count--) {
      for (let part = fitting; part > 0; part = Math.floor(part / 2)) {
        if (part !== images) graph = await recordImages(training, images = part);
        const { program: { feedBytes, resultBytes, scratchBytes }, constantBytes } = measure(graph);
        const chunks = chunkCount(batchSize, count, images);
        const needs = { threads: count, chunks, feedBytes, resultBytes, scratchBytes, constantBytes };
        const division = divide(trainable, frozen, needs);
        if (division.bytes > MOST_BYTES) continue;
        const stepper = new PlannedStepper(options, images, needs, division);
        await stepper.#start(graph, options);
        return stepper;
      }
    }
    throw new PlanError("a planned step needs more than 4 GiB");
  }

  async prepare(batch: TrainingBatch, epoch: number, step: number): Promise<(lr: number) => Promise<number>> {
    const { task } = this.#options;
    const images = batch.pixels.length / (task.config.imageSize ** 2 * task.config.inChannels);
    if (images > this.#options.batchSize) {
      throw new RangeError(`${images} images are more than were planned`);
    }
    const from = this.#division.feeds[this.#buffer];
    this.#buffer = 1 - this.#buffer;
    const { buffer } = this.#memory, heap = new Uint8Array(buffer);
    const chunks = this.#chunks(images, from);
    for (const { first, images, feeds } of chunks.flat()) {
      const { graph, program } = await this.#program(images);
      const place: Allocate = (name, length) =>
        graph.feeds.has(name)
          ? new Float32Array(buffer, feeds + program.feedOffsets.get(name)!, length)
          : newBuffer(name, length);
      const given = objective(task, batch, epoch, step, { first, images }, place);
      for (const [name, { size }] of graph.feeds) {
        if (name === WEIGHT) continue;
        const data = name.startsWith(DROPOUT)
          ? drawFactors(given.drop!, name.slice(DROPOUT.length), size)
          : given.feeds[name];
        if (data.buffer === buffer) continue;
        const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
        heap.set(bytes, feeds + program.feedOffsets.get(name)!);
      }
    }
    return async (lr) => {
      const numbers = adamwNumbers({ ...this.#options.optimizer, lr, step: this.#stepsDone + 1 });
      this.#losses.fill(0);
      await this.#team.ask(chunks.map((own) => ({ type: "step", images, chunks: own, numbers })));
      const loss = stepLoss(this.#losses);
      if (Number.isFinite(loss)) this.#stepsDone++;
      return Math.fround(loss);
    };
  }

  weights(): Promise<Map<string, HostTensor>> {
    return Promise.resolve(this.#read(this.#division.params));
  }

  state(): Promise<OptimizerState> {
    const { expAvg, expAvgSq } = this.#division;
    return Promise.resolve({
      step: this.#stepsDone,
      expAvg: this.#read(expAvg),
      expAvgSq: this.#read(expAvgSq),
    });
  }

  dispose(): Promise<void> {
    this.#team.dispose();
    return Promise.resolve();
  }

  async #start(graph: Graph, { trainable, frozen, weights, state }: StepperOptions): Promise<void> {
    const d = this.#division;
    const write = (at: number, { data }: HostTensor) =>
      new Float32Array(this.#memory.buffer, at, data.length).set(data);
    for (const { name } of trainable) {
      const offset = d.offsets.get(name)!;
      write(d.params + offset, weights.get(name)!);
      if (state) write(d.expAvg + offset, state.expAvg.get(name)!);
      if (state) write(d.expAvgSq + offset, state.expAvgSq.get(name)!);
    }
    for (const [name, tensor] of frozen) write(d.frozen.get(name)!, tensor);
    const { module } = kernelModule(true);
    const control = new Int32Array(new SharedArrayBuffer(4 * CONTROL_LENGTH));
    await this.#team.ask(Array.from({ length: this.threads }, (_, index): ToWorker => {
      const from = Math.floor(d.size / 16 * index / this.threads) * 16;
      const size = Math.floor(d.size / 16 * (index + 1) / this.threads) * 16 - from;
      const [param, expAvg, expAvgSq, grad] = [d.params, d.expAvg, d.expAvgSq, d.worker.grads].map((at) =>
        at + 4 * from
      );
      const share = { size, param, expAvg, expAvgSq, grad, apart: d.apart };
      const shared = { module, memory: this.#memory, control, losses: this.#losses, threads: this.threads };
      const grads = { at: d.worker.grads + index * d.apart, size: d.size };
      return { type: "start", index, share, grads, ...shared };
    }));
    this.#recorded.set(this.#images, Promise.resolve(this.#compile(graph, this.#images)));
  }

  /** Which images go to which worker, in which chunks. */
  #chunks(images: number, feeds: number): Chunk[][] {
    const count = chunkCount(images, this.threads, this.#images);
    const chunks = Array.from({ length: count }, (_, index) => {
      const first = Math.floor(images * index / count), end = Math.floor(images * (index + 1) / count);
      return { index, first, images: end - first, feeds: feeds + index * this.#needs.feedBytes };
    });
    const own = count / this.threads;
    return Array.from(
      { length: this.threads },
      (_, worker) => chunks.slice(own * worker, own * (worker + 1)).filter(({ images }) => images > 0),
    );
  }

  #program(images: number): Promise<Recorded> {
    const known = this.#recorded.get(images);
    if (known) return known;
    const made = recordImages(this.#options, images).then((graph) => this.#compile(graph, images));
    this.#recorded.set(images, made);
    return made;
  }

  #compile(graph: Graph, images: number): Recorded {
    const d = this.#division;
    const programs = Array.from({ length: this.threads }, (_, index) => {
      const base = index * d.apart;
      const places: Places = {
        parameter: (name) => this.#parameter(name),
        gradient: (name) => d.worker.grads + base + d.offsets.get(name)!,
        constant: (data) => this.#constant(data),
        feeds: d.worker.feeds + base,
        results: d.worker.results + base,
        scratch: d.worker.scratch + base,
      };
      const program = compile(graph, places);
      const { calls, feedBytes, lossAt, weightAt } = program;
      this.#team.tell(index, {
        type: "program",
        images,
        calls,
        firstCalls: compile(graph, places, true).calls,
        feeds: places.feeds,
        feedBytes,
        lossAt,
        weightAt,
      });
      return program;
    });
    return { graph, program: programs[0] };
  }

  #parameter(name: string): number {
    const { frozen, params, offsets } = this.#division;
    return frozen.get(name) ?? params + offsets.get(name)!;
  }

  /** Address of a constant; one with the same values is the same. */
  #constant(data: Float32Array | Int32Array): number {
    const known = this.#constants.find((other) =>
      other.data === data ||
      other.data.constructor === data.constructor && other.data.length === data.length &&
        other.data.every((value, i) => value === data[i])
    );
    if (known) return known.at;
    const at = this.#constantsEnd;
    this.#constantsEnd += bytesOf(data.length);
    if (this.#constantsEnd > this.#division.constants + this.#needs.constantBytes) {
      throw new RangeError("A smaller chunk has constants that a larger one has not");
    }
    new Uint8Array(this.#memory.buffer).set(
      new Uint8Array(data.buffer, data.byteOffset, data.byteLength),
      at,
    );
    this.#constants.push({ data, at });
    return at;
  }

  #read(from: number): Map<string, HostTensor> {
    const { offsets } = this.#division;
    return new Map(this.#options.trainable.map(({ name, shape }) => {
      const shared = new Float32Array(this.#memory.buffer, from + offsets.get(name)!, sizeOf(shape));
      return [name, { shape, data: new Float32Array(shared) }];
    }));
  }
}

/** Chunks of a batch: as many for each worker, none with more than so many images. */
function chunkCount(images: number, threads: number, most: number): number {
  return threads * Math.ceil(Math.ceil(images / threads) / most);
}
