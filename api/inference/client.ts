/**
 * Inference in a worker of its own, started at the first question.
 *
 * @module
 */
import type { ImageSet } from "../../data/datasets/dataset.ts";
import type { ObjectStoreSettings } from "../../data/objects/open.ts";
import { StorageUnavailableError } from "../../data/objects/store.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import { DEFAULT_COMPUTE } from "../../jobs/kinds/settings.ts";
import type { MaeBatchResult } from "../../model/inference.ts";
import { type Inference, InferenceError, type Reconstruction, type ReconstructOptions } from "./inference.ts";
import type { InferenceAnswer, InferenceRequest, InferenceSetup } from "./messages.ts";

/** Bytes of loaded models that are kept when nothing else is said. */
export const MODEL_CACHE_BYTES = 2 ** 30;

interface Waiting {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** {@linkcode Inference} over `worker.ts`. */
export class WorkerInference implements Inference {
  readonly #setup: InferenceSetup;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | null = null;
  #lastId = 0;

  constructor(storage: ObjectStoreSettings, options: Partial<Omit<InferenceSetup, "storage">> = {}) {
    this.#setup = { storage, compute: DEFAULT_COMPUTE, cacheBytes: MODEL_CACHE_BYTES, ...options };
  }

  /** @inheritdoc */
  async reconstruct(
    checkpoint: Checkpoint,
    pictures: ImageSet,
    { maskRatio, seed, signal }: ReconstructOptions,
  ): Promise<Reconstruction> {
    expectModel(checkpoint, "mae");
    const result = await this.#ask<MaeBatchResult>("reconstruct", checkpoint, pictures, {
      seed,
      maskRatio,
      signal,
    });
    const { losses, pred, mask, idsRestore } = result;
    return {
      loss: losses.reduce((sum, loss) => sum + loss, 0) / losses.length,
      losses,
      pred,
      mask,
      idsRestore,
    };
  }

  /** @inheritdoc */
  async classify(checkpoint: Checkpoint, pictures: ImageSet, signal?: AbortSignal): Promise<Float32Array> {
    expectModel(checkpoint, "classifier");
    return await this.#ask("classify", checkpoint, pictures, { seed: 0, signal });
  }

  /** @inheritdoc */
  async embed(checkpoint: Checkpoint, pictures: ImageSet, signal?: AbortSignal): Promise<Float32Array> {
    return await this.#ask("embed", checkpoint, pictures, { seed: 0, signal });
  }

  /** Stops the worker; whoever waits gets an error. */
  close(): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#fail("The service is stopping");
  }

  async #ask<T>(
    operation: InferenceRequest["operation"],
    checkpoint: Checkpoint,
    pictures: ImageSet,
    { seed, maskRatio, signal }: ReconstructOptions,
  ): Promise<T> {
    signal?.throwIfAborted();
    const worker = this.#worker ??= this.#start();
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const abort = () => reject(signal!.reason);
    signal?.addEventListener("abort", abort, { once: true });
    this.#waiting.set(id, { resolve, reject });
    const request: InferenceRequest = { id, operation, checkpoint, pixels: pictures.pixels, seed, maskRatio };
    worker.postMessage(request);
    try {
      return await promise as T;
    } finally {
      this.#waiting.delete(id);
      signal?.removeEventListener("abort", abort);
    }
  }

  #start(): Worker {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "inference" });
    worker.onmessage = ({ data }: MessageEvent<InferenceAnswer>) => {
      const waiting = this.#waiting.get(data.id);
      if ("error" in data) waiting?.reject(errorOf(data.error));
      else waiting?.resolve(data.value);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      console.error("The inference worker stopped:", event.message);
      worker.terminate();
      if (this.#worker === worker) this.#worker = null;
      this.#fail("The inference worker stopped; the next request starts a new one");
    };
    worker.postMessage(this.#setup);
    return worker;
  }

  #fail(message: string): void {
    for (const { reject } of this.#waiting.values()) reject(new InferenceError("inference_failed", message));
    this.#waiting.clear();
  }
}

function errorOf({ code, message }: { code: string; message: string }): Error {
  if (code === "storage_unavailable") return new StorageUnavailableError(message);
  return new InferenceError(code, message);
}

function expectModel(checkpoint: Checkpoint, model: Checkpoint["model"]): void {
  if (checkpoint.model === model) return;
  const kind = { mae: "a pre-trained MAE", classifier: "a classifier" };
  throw new InferenceError(
    "wrong_model",
    `Checkpoint ${checkpoint.id} must be ${kind[model]}, it is ${kind[checkpoint.model]}`,
  );
}
