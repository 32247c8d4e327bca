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
import type { Pool } from "../../model/classifier.ts";
import { Backoff } from "./backoff.ts";
import { batchOf, settle } from "./batch.ts";
import { type Inference, InferenceError, type Reconstruction, type ReconstructOptions } from "./inference.ts";
import { InferenceChild } from "./inferenceChild.ts";
import type { BatchResult, FromInference, InferenceSetup } from "./messages.ts";
import { QUEUE_LIMITS, type QueuedRequest, type QueueLimits, RequestQueue } from "./requestQueue.ts";

/** Default size of the model cache, in bytes. */
const MODEL_CACHE_BYTES = 2 ** 30;

/** Options of inference. */
export interface InferenceOptions extends Partial<Pick<InferenceSetup, "compute" | "cacheBytes">> {
  readonly queue?: QueueLimits;
}

/** A computation that requests need, without its images. */
type Computation = Omit<QueuedRequest, "count" | "pixels" | "resolve" | "reject">;

/**
 * Implements {@linkcode Inference} with a child process, which is started by `warm` or by the first request. While the
 * child computes one batch, the requests that arrive wait and form the next ones. If the child ends, its batch fails,
 * and another child computes the requests that wait.
 */
export class ProcessInference implements Inference {
  readonly #setup: InferenceSetup;
  readonly #queue: RequestQueue;
  #running: readonly QueuedRequest[] = [];
  #child: InferenceChild | null = null;
  #isClosed = false;
  /** Crashes since the last result: no child is started during the pause. */
  readonly #restart = new Backoff();
  #restartTimer: ReturnType<typeof setTimeout> | undefined;
  /** By checkpoint, its crashes since its last result: its requests are rejected during the pause. */
  readonly #checkpoints = new Map<string, Backoff>();

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
    const computation: Computation = { operation: "reconstruct", checkpoint, ...options };
    const arrays = await this.#compute(computation, images, signal);
    const losses = arrays.losses as Float32Array;
    return {
      loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
      losses,
      pred: arrays.pred as Float32Array | undefined ?? new Float32Array(),
      mask: arrays.mask as Float32Array,
      idsRestore: arrays.idsRestore as Int32Array,
      attention: arrays.attention as Float32Array | undefined ?? new Float32Array(),
    };
  }

  /** @inheritdoc */
  async classify(checkpoint: Checkpoint, images: ImageSet, signal?: AbortSignal): Promise<Float32Array> {
    const computation = computationWithoutMasks("classify", checkpoint);
    return (await this.#compute(computation, images, signal)).probabilities as Float32Array;
  }

  /** @inheritdoc */
  async embed(
    checkpoint: Checkpoint,
    images: ImageSet,
    pool: Pool,
    signal?: AbortSignal,
  ): Promise<Float32Array> {
    const computation = { ...computationWithoutMasks("embed", checkpoint), pool };
    return (await this.#compute(computation, images, signal)).features as Float32Array;
  }

  /** @inheritdoc */
  async warm(): Promise<void> {
    if (!this.#isClosed) await (this.#child ??= this.#start()).started;
  }

  /** @inheritdoc */
  async close(): Promise<void> {
    this.#isClosed = true;
    clearTimeout(this.#restartTimer);
    const child = this.#child;
    this.#child = null;
    const error = new InferenceError("unavailable", "The service is stopping");
    for (const { reject } of [...this.#running, ...this.#queue.clear()]) reject(error);
    this.#running = [];
    await child?.kill();
  }

  /** Computes one request. A request whose signal is aborted before its batch is sent is not computed. */
  async #compute(
    computation: Computation,
    { count, pixels }: ImageSet,
    signal?: AbortSignal,
  ): Promise<BatchResult["arrays"]> {
    signal?.throwIfAborted();
    this.#checkAvailable(computation.checkpoint);
    const { promise, resolve, reject } = Promise.withResolvers<BatchResult["arrays"]>();
    const request: QueuedRequest = { ...computation, count, pixels, resolve, reject };
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

  #checkAvailable({ id }: Checkpoint): void {
    if (this.#isClosed) throw new InferenceError("unavailable", "The service is stopping");
    const waitMs = this.#checkpoints.get(id)?.waitMs ?? 0;
    if (waitMs > 0) throw repeatedCrashes(id, waitMs);
  }

  /** Sends the next batch, if the child is idle. Without a child it starts one, after the pause. */
  #sendNext(): void {
    if (this.#isClosed || this.#running.length > 0 || this.#queue.size === 0) return;
    clearTimeout(this.#restartTimer);
    const { waitMs } = this.#restart;
    if (this.#child === null && waitMs > 0) {
      this.#restartTimer = setTimeout(() => this.#sendNext(), waitMs);
      return;
    }
    this.#running = this.#queue.take()!;
    const child = this.#child ??= this.#start();
    child.send(batchOf(this.#running));
  }

  #start(): InferenceChild {
    return new InferenceChild(this.#setup, {
      receive: (message) => this.#receive(message),
      ended: (cause) => this.#onEnd(cause),
    });
  }

  #receive(message: FromInference): void {
    if (message.type === "failure" && message.isFatal) {
      this.#child?.kill();
      this.#replaceChild(() => toError(message));
      return;
    }
    const requests = this.#running;
    this.#running = [];
    if (message.type === "failure") {
      for (const { reject } of requests) reject(toError(message));
    } else {
      this.#restart.reset();
      this.#checkpoints.delete(requests[0].checkpoint.id);
      settle(requests, message);
    }
    this.#sendNext();
  }

  #onEnd(cause: string): void {
    console.error(`The inference process ended (${cause})`);
    const message = `The process that runs models has ended (${cause}): try again`;
    this.#replaceChild((waitMs) => unavailable(message, waitMs));
  }

  /**
   * Fails the running batch after a crash, and computes the others with another child.
   *
   * @param toError returns the error of a request, which fails again for the next `waitMs` milliseconds
   */
  #replaceChild(toError: (waitMs: number) => Error): void {
    const requests = this.#running;
    this.#running = [];
    this.#child = null;
    this.#restart.add();
    const waitMs = requests.length > 0 ? this.#countCrash(requests[0].checkpoint) : 0;
    for (const { reject } of requests) reject(toError(waitMs));
    this.#sendNext();
  }

  /**
   * Counts a crash that a batch of a checkpoint had. After two in a row, the checkpoint's requests fail.
   *
   * @returns how long they fail, in milliseconds
   */
  #countCrash({ id }: Checkpoint): number {
    const backoff = this.#checkpoints.get(id) ?? new Backoff();
    this.#checkpoints.set(id, backoff);
    backoff.add();
    const { waitMs } = backoff;
    if (waitMs > 0) {
      for (const { reject } of this.#queue.removeModel(id)) reject(repeatedCrashes(id, waitMs));
    }
    return waitMs;
  }
}

function computationWithoutMasks(operation: "classify" | "embed", checkpoint: Checkpoint): Computation {
  return { operation, checkpoint, maskRatio: 0, seed: 0, withPatches: false, withAttention: false };
}

function repeatedCrashes(checkpoint: string, waitMs: number): InferenceError {
  const message = `The process that runs models has ended repeatedly with '${checkpoint}': try again later`;
  return unavailable(message, waitMs);
}

function unavailable(message: string, waitMs: number): InferenceError {
  return new InferenceError("unavailable", message, Math.max(1, Math.ceil(waitMs / 1000)));
}

function toError({ code, message }: { code: string; message: string }): Error {
  if (code === "storage_unavailable") return new StorageUnavailableError(message);
  return new InferenceError(code, message);
}
