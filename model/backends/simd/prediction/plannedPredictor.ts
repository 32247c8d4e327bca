/**
 * Predictions by planned forward passes. The images of a call are divided into chunks. A chunk of a small model is
 * computed by one thread; a chunk of a large model by all threads together, so that a single image is computed faster,
 * too. A call of little work runs in the calling thread.
 *
 * An element of a result is computed by the same operations in the same order for any number of images and threads, so
 * the bits of an image depend on its pixels alone.
 *
 * @module
 */
import { classTokenFirst } from "../../../classToken.ts";
import type { Pool } from "../../../classifier.ts";
import { imageDim, type MaeConfig, numPatches, numTokens, patchDim } from "../../../config.ts";
import type { MaskedBatch } from "../../../mae.ts";
import { inputPatches } from "../../../normalize.ts";
import { type PositionTables, tablesOf } from "../../../positions.ts";
import { patchRows } from "../../../prediction/patchRows.ts";
import type { Predictor, PredictorOptions } from "../../../prediction/predictor.ts";
import { bytesOf } from "../plan/allocation.ts";
import { type Chunk, splitBatch } from "../plan/chunks.ts";
import { compiledKey, type CompiledPass, compilePass } from "./compilePass.ts";
import type { ChunkRun } from "./messages.ts";
import { ModelInstance } from "./modelInstance.ts";
import { ModelMemory } from "./modelMemory.ts";
import { keyOf, type Pass, type PassModel } from "./pass.ts";
import { type PassPlan, planPass } from "./passPlan.ts";
import { ThreadPool } from "./threadPool.ts";

/** Target for the inputs and results that are in memory at once, in bytes. */
const ROUND_BYTES = 16 * 2 ** 20;

/** Maximum number of floating-point operations that run in the calling thread: about one millisecond. */
const INLINE_FLOPS = 5e7;

/** Maximum number of programs that a predictor keeps: one for each pass and number of images. */
const MAX_PROGRAMS = 128;

/** A chunk in memory. */
interface PlacedChunk extends Chunk, ChunkRun {
  readonly feedOffsets: ReadonlyMap<string, number>;
}

/** Returns the buffer of a feed of a chunk. */
type FeedBuffer = (name: string, length: number) => Float32Array<ArrayBuffer>;

/** Fills the feeds of some images of a call. @param first index of the first image */
type FillFeeds = (first: number, images: number, feed: FeedBuffer) => void;

/** Returns the buffer of a feed of integers. */
function intFeed(feed: FeedBuffer, name: string, size: number): Int32Array<ArrayBuffer> {
  const { buffer, byteOffset, length } = feed(name, size);
  return new Int32Array(buffer, byteOffset, length);
}

/** Fills the feed of the encoder's order. A forward pass does not read the others. */
function fillOrder(images: number, keep: number, feed: FeedBuffer): void {
  const { restoreRows } = classTokenFirst(images, keep);
  intFeed(feed, "clsRestoreRows", restoreRows.length).set(restoreRows);
}

/** A predictor that runs planned passes. */
export class PlannedPredictor implements Predictor {
  readonly config: MaeConfig;
  readonly tables: PositionTables;
  readonly note = null;
  readonly threads: number;
  readonly #memory: ModelMemory;
  readonly #model: PassModel;
  readonly #module: WebAssembly.Module;
  readonly #plans = new Map<string, PassPlan>();
  readonly #compiled = new Map<string, CompiledPass>();
  /** The model in the calling thread. */
  readonly #instance: ModelInstance;
  /** The threads, and the number of this model there. */
  #remote: { readonly pool: ThreadPool; readonly model: number } | null = null;
  /** Resolves when the last call has ended. */
  #queue: Promise<unknown> = Promise.resolve();

  /**
   * Copies the weights. Threads start at the first call that needs them.
   *
   * @param module the kernels for shared memory
   * @throws {PlanError} when the weights do not fit into 4 GiB
   */
  constructor(
    { config, weights, threads }: PredictorOptions,
    module: WebAssembly.Module,
  ) {
    this.config = config;
    this.tables = tablesOf(config, weights);
    this.threads = threads;
    const parameters = new Map([...weights].map(([name, { shape }]) => [name, shape]));
    this.#model = { config, tables: this.tables, parameters };
    // The constants are the positions of the encoder and of the decoder.
    const constantBytes = bytesOf(this.tables.encoder.length) + bytesOf(this.tables.decoder.length);
    this.#memory = new ModelMemory(weights, constantBytes);
    this.#module = module;
    this.#instance = new ModelInstance(module, this.#memory.memory);
  }

  get memoryBytes(): number {
    return this.#memory.memory.buffer.byteLength;
  }

  async patches(
    { batch, patches, positions, order, masking: { keep }, decoderOrder }: MaskedBatch,
  ): Promise<Float32Array<ArrayBuffer>> {
    const { restoreRows, patches: decoded, keep: encoded } = decoderOrder; // T and S
    const fill: FillFeeds = (first, images, feed) => {
      for (const [name, data] of Object.entries({ visible: patches, positions })) {
        const size = data.length / batch;
        feed(name, images * size).set(data.subarray(first * size, (first + images) * size));
      }
      if (order) fillOrder(images, keep, feed);
      intFeed(feed, "restoreRows", images * decoded).set(
        restoreRows.subarray(first * decoded, (first + images) * decoded)
          .map((row) => row < 0 ? row : row - first * encoded),
      );
    };
    const rows = await this.#call({ output: "patches", keep }, batch, decoded * patchDim(this.config), fill);
    return patchRows(this.config, rows);
  }

  features(pixels: Float32Array, pool: Pool = this.config.pool): Promise<Float32Array<ArrayBuffer>> {
    return this.#callOnPixels({ output: "features", pool }, pixels, this.config.embedDim);
  }

  lastQkv(pixels: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    return this.#callOnPixels(
      { output: "last qkv" },
      pixels,
      numTokens(this.config) * 3 * this.config.embedDim,
    );
  }

  logits(pixels: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    return this.#callOnPixels({ output: "logits" }, pixels, this.#classes);
  }

  logitsOfFeatures(features: Float32Array): Promise<Float32Array<ArrayBuffer>> {
    const { embedDim } = this.config;
    const fill: FillFeeds = (first, images, feed) =>
      feed("features", images * embedDim).set(
        features.subarray(first * embedDim, (first + images) * embedDim),
      );
    return this.#call({ output: "logits of features" }, features.length / embedDim, this.#classes, fill);
  }

  async dispose(): Promise<void> {
    await this.#queue;
    const remote = this.#remote;
    if (!remote) return;
    // Another call must not release the threads of other predictors.
    this.#remote = null;
    const { pool, model } = remote;
    pool.postAll({ type: "close", model });
    pool.release();
  }

  get #classes(): number {
    return this.#model.parameters.get("head.bias")![0];
  }

  #callOnPixels(pass: Pass, pixels: Float32Array, outputSize: number) {
    const { config } = this, dim = imageDim(config);
    const fill: FillFeeds = (first, images, feed) => {
      const part = pixels.subarray(first * dim, (first + images) * dim);
      inputPatches(part, config, feed("patches", part.length));
      if (config.clsToken) fillOrder(images, numPatches(config), feed);
    };
    return this.#call(pass, pixels.length / dim, outputSize, fill);
  }

  /** Runs a pass over images after the calls that were made before. @param outputSize floats of an image's output */
  #call(
    pass: Pass,
    images: number,
    outputSize: number,
    fill: FillFeeds,
  ): Promise<Float32Array<ArrayBuffer>> {
    const call = this.#queue.then(async () => {
      const plan = this.#planOf(pass), result = new Float32Array(images * outputSize);
      const perThread = plan.together ? plan.chunkImages : this.threads * plan.chunkImages;
      const roundImages = Math.max(1, Math.floor(ROUND_BYTES / plan.imageBytes / perThread)) * perThread;
      for (let first = 0; first < images; first += roundImages) {
        const end = Math.min(first + roundImages, images);
        const output = result.subarray(first * outputSize, end * outputSize);
        await this.#round(
          plan,
          end - first,
          output,
          (chunk, count, feed) => fill(first + chunk, count, feed),
        );
      }
      return result;
    });
    this.#queue = call.catch(() => {});
    return call;
  }

  /** Computes images whose inputs and results are in memory at once. */
  async #round(plan: PassPlan, images: number, result: Float32Array, fill: FillFeeds): Promise<void> {
    const inline = !plan.together && images * plan.flops <= INLINE_FLOPS;
    const division = splitBatch(images, inline || plan.together ? 1 : this.threads, plan.chunkImages);
    if (this.#compiled.size >= MAX_PROGRAMS) this.#forget();
    const byThread: PlacedChunk[][] = [];
    let end = plan.chunks;
    for (const chunks of division) {
      const placed: PlacedChunk[] = [];
      for (const chunk of chunks) {
        const { key, feedOffsets, programs: [{ feedBytes, outputBytes }] } = this.#compiledFor(
          plan,
          chunk.images,
        );
        placed.push({ ...chunk, program: key, feedOffsets, input: end, output: end + feedBytes });
        end += feedBytes + bytesOf(outputBytes / 4);
      }
      byThread.push(placed);
    }
    this.#memory.grow(end);
    const placed = byThread.flat();
    for (const { first, images, input, feedOffsets } of placed) {
      fill(first, images, (name, length) => this.#memory.floats(input + feedOffsets.get(name)!, length));
    }
    if (inline) { for (const chunk of placed) this.#instance.run(chunk, 0, () => {}); }
    else await this.#runInThreads(plan.together ? Array(this.threads).fill(placed) : byThread);
    const outputSize = result.length / images;
    for (const { first, images, output } of placed) {
      result.set(this.#memory.floats(output, images * outputSize), first * outputSize);
    }
  }

  async #runInThreads(byThread: readonly (readonly PlacedChunk[])[]): Promise<void> {
    const { pool, model } = this.#threads();
    await pool.run(byThread.map((placed) => {
      const chunks = placed.map(({ program, input, output }) => ({ program, input, output }));
      return { type: "run", model, chunks };
    }));
  }

  /** Returns the threads, with this model and its programs. */
  #threads() {
    if (this.#remote) return this.#remote;
    const pool = ThreadPool.acquire(this.threads), model = pool.newModel();
    pool.postAll({ type: "open", model, module: this.#module, memory: this.#memory.memory });
    this.#remote = { pool, model };
    for (const compiled of this.#compiled.values()) this.#post(compiled);
    return this.#remote;
  }

  #post({ key, programs }: CompiledPass): void {
    if (!this.#remote) return;
    const { pool, model } = this.#remote;
    programs.forEach((program, thread) => pool.post(thread, { ...program, type: "program", model, key }));
  }

  #planOf(pass: Pass): PassPlan {
    const key = keyOf(pass), known = this.#plans.get(key);
    if (known) return known;
    const plan = planPass(this.#model, this.#memory, pass, this.threads);
    this.#plans.set(key, plan);
    return plan;
  }

  /** Returns the pass for chunks of `images` images, and posts it to the threads when it is new. */
  #compiledFor(plan: PassPlan, images: number): CompiledPass {
    const key = compiledKey(plan, images), known = this.#compiled.get(key);
    if (known) return known;
    const compiled = compilePass(this.#model, plan, images, this.threads);
    this.#compiled.set(key, compiled);
    this.#instance.add(key, compiled.programs[0]);
    this.#post(compiled);
    return compiled;
  }

  #forget(): void {
    this.#compiled.clear();
    this.#instance.forget();
    this.#remote?.pool.postAll({ type: "forget", model: this.#remote.model });
  }
}
