/**
 * An LRU cache of loaded models.
 *
 * @module
 */
import { dispose } from "@tensorflow/tfjs-core";
import type { ObjectStore } from "../../data/objects/store.ts";
import { loadWeights } from "../../jobs/artifacts/readCheckpoint.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import { toTensors, type Weights } from "../../model/transformer.ts";

interface CachedModel {
  readonly weights: Promise<Weights>;
  readonly bytes: number;
}

/** Caches the weights of models on the backend, up to a limit in bytes. */
export class ModelCache {
  readonly #store: ObjectStore;
  readonly #limit: number;
  readonly #models = new Map<string, CachedModel>();

  constructor(store: ObjectStore, limitBytes: number) {
    this.#store = store;
    this.#limit = limitBytes;
  }

  /** Returns the weights of a checkpoint, which are valid until the next call. */
  async get(checkpoint: Checkpoint): Promise<Weights> {
    const cached = this.#models.get(checkpoint.id);
    if (cached) {
      this.#models.delete(checkpoint.id);
      this.#models.set(checkpoint.id, cached);
      return await cached.weights;
    }
    await this.#evict(checkpoint.size);
    const weights = loadWeights(this.#store, checkpoint).then(toTensors);
    this.#models.set(checkpoint.id, { weights, bytes: checkpoint.size });
    try {
      return await weights;
    } catch (error) {
      this.#models.delete(checkpoint.id);
      throw error;
    }
  }

  /** Removes the least recently used models until another of this size fits. */
  async #evict(bytes: number): Promise<void> {
    let total = [...this.#models.values()].reduce((sum, model) => sum + model.bytes, bytes);
    for (const [id, model] of this.#models) {
      if (total <= this.#limit) return;
      this.#models.delete(id);
      total -= model.bytes;
      dispose(await model.weights);
    }
  }
}
