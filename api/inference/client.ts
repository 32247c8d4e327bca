/**
 * Runs inference in a child process.
 *
 * @module
 */
import type { ImageSet } from "../../data/datasets/dataset.ts";
import type { ObjectStoreSettings } from "../../data/objects/open.ts";
import { StorageUnavailableError } from "../../data/objects/store.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import { DEFAULT_COMPUTE } from "../../jobs/kinds/settings.ts";
import { batchOf, settle } from "./batch.ts";
import { type Inference, InferenceError, type Reconstruction, type ReconstructOptions } from "./inference.ts";
import { InferenceChild } from "./inferenceChild.ts";
import type { BatchResult, FromInference, InferenceSetup } from "./messages.ts";
import { QUEUE_LIMITS, type QueuedRequest, type QueueLimits, RequestQueue } from "./requestQueue.ts";

/** Default size of the model cache, in bytes. */
const MODEL_CACHE_BYTES = 2 ** 30;
/** Pause before a restart after two crashes without a result between them, and its maximum, in milliseconds. */
const BACKOFF_MS = 500, MAX_BACKOFF_MS = 30_000;

/** Options of inference. */
export interface InferenceOptions extends Partial<Pick<InferenceSetup, "compute" | "cacheBytes">> {
  readonly queue?: QueueLimits;
}

/** What a request to compute consists of, except for its images. */
type Question = Pick<QueuedRequest, "operation" | "checkpoint" | "maskRatio" | "seed" | "withPatches">;

/**
 * Implements {@linkcode Inference} with a child process, which is started by `warm` or by the first request. While the
 * child computes one batch, the requests that arrive wait and form the next ones. If the child ends, the pending
 * requests fail, and the next request starts another.
 */
export class ProcessInference implements Inference {
  readonly #setup: InferenceSetup;
  readonly #queue: RequestQueue;
  #running: readonly QueuedRequest[] = [];
  #child: InferenceChild | null = null;
  #isClosed = false;
  /** Number of crashes since the last result, and the time before which no child is started. */
  #crashes = 0;
  #startAfter = 0;

  constructor(storage: ObjectStoreSettings, options: InferenceOptions = {}) {
    const { compute = DEFAULT_COMPUTE, cacheBytes = MODEL_CACHE_BYTES, queue = QUEUE_LIMITS } = options;
    this.#setup = { type: "setup", storage, compute, cacheBytes };
    this.#queue = new RequestQueue(queue);
  }

  /** Id of the child process; undefined while there is none. */
  get pid(): number | undefined {
    return this.#child?.pid;
  }

  /** @inheritdoc */
  async reconstruct(
    checkpoint: Checkpoint,
    images: ImageSet,
    { signal, ...options }: ReconstructOptions,
  ): Promise<Reconstruction> {
    const question: Question = { operation: "reconstruct", checkpoint, ...options };
    const arrays = await this.#compute(question, images, signal);
    const losses = arrays.losses as Float32Array;
    return {
      loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
      losses,
      pred: arrays.pred as Float32Array | undefined ?? new Float32Array(),
      mask: arrays.mask as Float32Array,
      idsRestore: arrays.idsRestore as Int32Array,
    };
  }

  /** @inheritdoc */
  async classify(checkpoint: Checkpoint, images: ImageSet, signal?: AbortSignal): Promise<Float32Array> {
    const question: Question = {
      operation: "classify",
      checkpoint,
      maskRatio: 0,
      seed: 0,
      withPatches: false,
    };
    return (await this.#compute(question, images, signal)).probabilities as Float32Array;
  }

  /** @inheritdoc */
  async embed(checkpoint: Checkpoint, images: ImageSet, signal?: AbortSignal): Promise<Float32Array> {
    const question: Question = { operation: "embed", checkpoint, maskRatio: 0, seed: 0, withPatches: false };
    return (await this.#compute(question, images, signal)).features as Float32Array;
  }

  /** @inheritdoc */
  async warm(): Promise<void> {
    if (!this.#isClosed) await (this.#child ??= this.#start()).started;
  }

  /** @inheritdoc */
  async close(): Promise<void> {
    this.#isClosed = true;
    const child = this.#child;
    this.#child = null;
    this.#failAll(new InferenceError("unavailable", "The service is stopping"));
    await child?.kill();
  }

  /** Computes one request. A request whose signal is aborted before its batch is sent is not computed. */
  async #compute(
    question: Question,
    { count, pixels }: ImageSet,
    signal?: AbortSignal,
  ): Promise<BatchResult["arrays"]> {
    signal?.throwIfAborted();
    this.#checkAvailable();
    const { promise, resolve, reject } = Promise.withResolvers<BatchResult["arrays"]>();
    const request: QueuedRequest = { ...question, count, pixels, resolve, reject };
    this.#queue.add(request);
    const abort = () => {
      this.#queue.remove(request);
      reject(signal!.reason);
    };
    signal?.addEventListener("abort", abort, { once: true });
    this.#sendNext();
    try {
      return await promise;
    } finally {
      signal?.removeEventListener("abort", abort);
    }
  }

  #checkAvailable(): void {
    if (this.#isClosed) throw new InferenceError("unavailable", "The service is stopping");
    const waitMs = this.#startAfter - performance.now();
    if (this.#child !== null || waitMs <= 0) return;
    throw new InferenceError(
      "unavailable",
      "The process that runs models has ended repeatedly: try again later",
      Math.ceil(waitMs / 1000),
    );
  }

  /** Sends the next batch, if the child is idle. */
  #sendNext(): void {
    if (this.#running.length > 0) return;
    const requests = this.#queue.take();
    if (requests === null) return;
    this.#running = requests;
    const child = this.#child ??= this.#start();
    child.send(batchOf(requests));
  }

  #start(): InferenceChild {
    return new InferenceChild(this.#setup, {
      receive: (message) => this.#receive(message),
      ended: (cause) => this.#onEnd(cause),
    });
  }

  #receive(message: FromInference): void {
    const requests = this.#running;
    this.#running = [];
    if (message.type === "failure") {
      for (const { reject } of requests) reject(toError(message));
      // The next request starts another process.
      if (message.isFatal) this.#child?.kill();
      if (message.isFatal) this.#child = null;
    } else {
      this.#crashes = 0;
      settle(requests, message);
    }
    this.#sendNext();
  }

  #onEnd(cause: string): void {
    this.#child = null;
    console.error(`The inference process ended (${cause})`);
    this.#crashes++;
    const pauseMs = this.#crashes < 2 ? 0 : BACKOFF_MS * 2 ** (this.#crashes - 2);
    this.#startAfter = performance.now() + Math.min(MAX_BACKOFF_MS, pauseMs);
    this.#failAll(
      new InferenceError("unavailable", `The process that runs models has ended (${cause}): try again`),
    );
  }

  #failAll(error: InferenceError): void {
    for (const { reject } of [...this.#running, ...this.#queue.clear()]) reject(error);
    this.#running = [];
  }
}

function toError({ code, message }: { code: string; message: string }): Error {
  if (code === "storage_unavailable") return new StorageUnavailableError(message);
  return new InferenceError(code, message);
}
