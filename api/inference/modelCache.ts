/**
 * Loaded models, the least recently used dropped first.
 *
 * @module
 */
import { dispose } from "@tensorflow/tfjs-core";
import type { ObjectStore } from "../../data/objects/store.ts";
import { loadWeights } from "../../jobs/artifacts/readCheckpoint.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import { toTensors, type Weights } from "../../model/transformer.ts";

interface Loaded {
  readonly weights: Promise<Weights>;
  readonly bytes: number;
}

/** A cache of models on the backend, bounded in bytes. */
export class ModelCache {
  readonly #store: ObjectStore;
  readonly #limit: number;
  readonly #models = new Map<string, Loaded>();

  constructor(store: ObjectStore, limitBytes: number) {
    this.#store = store;
    this.#limit = limitBytes;
  }

  /** The parameters of a checkpoint, loaded once. Valid until the next call. */
  async get(checkpoint: Checkpoint): Promise<Weights> {
    const found = this.#models.get(checkpoint.id);
    if (found) {
      this.#models.delete(checkpoint.id);
      this.#models.set(checkpoint.id, found);
      return await found.weights;
    }
    await this.#makeRoom(checkpoint.size);
    const weights = loadWeights(this.#store, checkpoint).then(toTensors);
    this.#models.set(checkpoint.id, { weights, bytes: checkpoint.size });
    try {
      return await weights;
    } catch (error) {
      this.#models.delete(checkpoint.id);
      throw error;
    }
  }

  async #makeRoom(bytes: number): Promise<void> {
    let held = [...this.#models.values()].reduce((sum, model) => sum + model.bytes, bytes);
    for (const [id, model] of this.#models) {
      if (held <= this.#limit) return;
      this.#models.delete(id);
      held -= model.bytes;
      dispose(await model.weights);
    }
  }
}
