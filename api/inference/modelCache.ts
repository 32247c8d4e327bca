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

/** Memory of a model in addition to its predictor's: programs, and instances in threads. */
const MODEL_BYTES = 2 ** 22;

/** A model to open. */
export interface Model {
  readonly config: MaeConfig;
  readonly weights: HostWeights;
}

/** Opens a predictor. */
type OpenPredictor = (model: Model) => Promise<Predictor>;

/**
 * Caches the predictors of models, up to a limit of their memory. A model that is larger than the limit is used alone.
 */
export class ModelCache {
  readonly #store: ObjectStore;
  readonly #open: OpenPredictor;
  readonly #limit: number;
  /** By the id of the checkpoint, the least recently used first. */
  readonly #models = new Map<string, Predictor>();

  constructor(store: ObjectStore, open: OpenPredictor, limitBytes: number) {
    this.#store = store;
    this.#open = open;
    this.#limit = limitBytes;
  }

  /** Returns the predictor of a checkpoint, which is valid until the next call. Calls must not overlap. */
  async get(checkpoint: Checkpoint): Promise<Predictor> {
    const { id, config, size } = checkpoint, cached = this.#models.get(id);
    this.#models.delete(id);
    // The buffers of a predictor grow with its batches, so the limit may be exceeded since the last call.
    await this.#evict(cached?.memoryBytes ?? size);
    const predictor = cached ??
      await this.#open({ config, weights: await loadWeights(this.#store, checkpoint) });
    this.#models.set(id, predictor);
    return predictor;
  }

  /** Removes the least recently used models until another of this size fits. */
  async #evict(bytes: number): Promise<void> {
    const total = () =>
      [...this.#models.values()].reduce((sum, { memoryBytes }) => sum + memoryBytes + MODEL_BYTES, bytes);
    for (const [id, predictor] of this.#models) {
      if (total() <= this.#limit) return;
      this.#models.delete(id);
      await predictor.dispose();
    }
  }
}
