/**
 * An LRU cache of loaded models.
 *
 * @module
 */
import type { ObjectStore } from "../../data/objects/store.ts";
import { loadWeights } from "../../jobs/artifacts/readCheckpoint.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import type { Predictor } from "../../model/prediction/predictor.ts";
import type { MaeConfig } from "../../model/config.ts";
import type { HostWeights } from "../../model/weights.ts";

/** Memory of a model beyond its weights, for each thread. */
const THREAD_BYTES = 2 ** 24;

interface CachedModel {
  readonly predictor: Promise<Predictor>;
  readonly bytes: number;
}

/** A model to open. */
export interface Model {
  readonly config: MaeConfig;
  readonly weights: HostWeights;
}

/** Opens a predictor. */
type OpenPredictor = (model: Model) => Promise<Predictor>;

/** Caches the predictors of models, up to a limit of their estimated memory. A larger model is cached alone. */
export class ModelCache {
  readonly #store: ObjectStore;
  readonly #open: OpenPredictor;
  readonly #limit: number;
  readonly #threads: number;
  readonly #models = new Map<string, CachedModel>();

  /** @param threads of each predictor */
  constructor(store: ObjectStore, open: OpenPredictor, threads: number, limitBytes: number) {
    this.#store = store;
    this.#open = open;
    this.#threads = threads;
    this.#limit = limitBytes;
  }

  /** Returns the predictor of a checkpoint, which is valid until the next call. */
  async get(checkpoint: Checkpoint): Promise<Predictor> {
    const cached = this.#models.get(checkpoint.id);
    if (cached) {
      this.#models.delete(checkpoint.id);
      this.#models.set(checkpoint.id, cached);
      return await cached.predictor;
    }
    const { config, size } = checkpoint, bytes = size + this.#threads * THREAD_BYTES;
    await this.#evict(bytes);
    const predictor = loadWeights(this.#store, checkpoint)
      .then((weights) => this.#open({ config, weights }));
    this.#models.set(checkpoint.id, { predictor, bytes });
    try {
      return await predictor;
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
      await (await model.predictor).dispose();
    }
  }
}
