/**
 * Runs inference in a separate worker, which is started by the first request.
 *
 * @module
 */
import type { ImageSet } from "../../data/datasets/dataset.ts";
import type { ObjectStoreSettings } from "../../data/objects/open.ts";
import { StorageUnavailableError } from "../../data/objects/store.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import { DEFAULT_COMPUTE } from "../../jobs/kinds/settings.ts";
import type { MaeBatchResult } from "../../model/prediction/inference.ts";
import { type Inference, InferenceError, type Reconstruction, type ReconstructOptions } from "./inference.ts";
import type { WorkerRequest, WorkerResponse, WorkerSetup } from "./messages.ts";

/** Default size of the model cache, in bytes. */
const MODEL_CACHE_BYTES = 2 ** 30;

interface PendingRequest {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** Implements {@linkcode Inference} with `worker.ts`. */
export class WorkerInference implements Inference {
  readonly #setup: WorkerSetup;
  readonly #pending = new Map<number, PendingRequest>();
  #worker: Worker | null = null;
  #lastId = 0;

  constructor(storage: ObjectStoreSettings, options: Partial<Omit<WorkerSetup, "storage">> = {}) {
    this.#setup = { storage, compute: DEFAULT_COMPUTE, cacheBytes: MODEL_CACHE_BYTES, ...options };
  }

  /** @inheritdoc */
  async reconstruct(
    checkpoint: Checkpoint,
    images: ImageSet,
    { maskRatio, seed, signal }: ReconstructOptions,
  ): Promise<Reconstruction> {
    const options = { seed, maskRatio, signal };
    const result = await this.#send<MaeBatchResult>("reconstruct", checkpoint, images, options);
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
  async classify(checkpoint: Checkpoint, images: ImageSet, signal?: AbortSignal): Promise<Float32Array> {
    return await this.#send("classify", checkpoint, images, { seed: 0, signal });
  }

  /** @inheritdoc */
  async embed(checkpoint: Checkpoint, images: ImageSet, signal?: AbortSignal): Promise<Float32Array> {
    return await this.#send("embed", checkpoint, images, { seed: 0, signal });
  }

  /** Stops the worker. Pending requests fail. */
  close(): void {
    this.#worker?.terminate();
    this.#worker = null;
    this.#failPending("The service is stopping");
  }

  async #send<T>(
    operation: WorkerRequest["operation"],
    checkpoint: Checkpoint,
    images: ImageSet,
    { seed, maskRatio, signal }: ReconstructOptions,
  ): Promise<T> {
    signal?.throwIfAborted();
    const worker = this.#worker ??= this.#startWorker();
    const id = ++this.#lastId;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const abort = () => reject(signal!.reason);
    signal?.addEventListener("abort", abort, { once: true });
    this.#pending.set(id, { resolve, reject });
    const request: WorkerRequest = { id, operation, checkpoint, pixels: images.pixels, seed, maskRatio };
    worker.postMessage(request);
    try {
      return await promise as T;
    } finally {
      this.#pending.delete(id);
      signal?.removeEventListener("abort", abort);
    }
  }

  #startWorker(): Worker {
    const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module", name: "inference" });
    worker.onmessage = ({ data }: MessageEvent<WorkerResponse>) => {
      const pending = this.#pending.get(data.id);
      if ("error" in data) pending?.reject(toError(data.error));
      else pending?.resolve(data.value);
    };
    worker.onerror = (event) => {
      event.preventDefault();
      console.error("The inference worker stopped:", event.message);
      worker.terminate();
      if (this.#worker === worker) this.#worker = null;
      this.#failPending("The inference worker stopped; the next request starts a new one");
    };
    worker.postMessage(this.#setup);
    return worker;
  }

  #failPending(message: string): void {
    for (const { reject } of this.#pending.values()) reject(new InferenceError("inference_failed", message));
    this.#pending.clear();
  }
}

function toError({ code, message }: { code: string; message: string }): Error {
  if (code === "storage_unavailable") return new StorageUnavailableError(message);
  return new InferenceError(code, message);
}
