/**
 * The features of a frozen encoder, the input of a linear probe. They are computed once per run and kept in memory, or
 * computed again for every batch when they exceed the limit.
 *
 * @module
 */
import type { ImageSet } from "../../../data/datasets/dataset.ts";
import { type BatchOptions, epochBatches } from "../../../data/datasets/loader.ts";
import type { SelectedBackend } from "../../../model/backends/select.ts";
import type { MaeConfig } from "../../../model/config.ts";
import type { Predictor } from "../../../model/prediction/predictor.ts";
import type { Batches } from "../../../model/training/batches.ts";
import type { FeatureBatch } from "../../../model/training/objective.ts";
import type { HostWeights } from "../../../model/weights.ts";
import type { KindContext, KindEvent } from "../kind.ts";
import { openRunPredictor } from "./backend.ts";
import { featureBatches } from "./featureBatches.ts";
import { computeFeatures, featuresOfBatch } from "./features.ts";

/** Shortest interval of the progress events, in milliseconds. It grows with the time, so that they stay few. */
const REPORT_MS = 1_000;
/** Interval of the progress events as a share of the time so far. */
const REPORT_SHARE = 0.01;

/** The encoder and the images of a probe. */
export interface ProbeSetup {
  readonly backend: SelectedBackend;
  readonly config: MaeConfig;
  readonly train: ImageSet;
  /** Number of images of the test split. */
  readonly testCount: number;
  /** Loads the test split. */
  loadTest(): Promise<ImageSet>;
}

/** A split and the features of its images, `[count, embedDim]`. */
export interface SplitFeatures {
  readonly set: ImageSet;
  readonly features: Float32Array;
}

/** The features of the images of a linear probe. */
export class ProbeFeatures implements AsyncDisposable {
  readonly #context: KindContext;
  readonly #setup: ProbeSetup;
  readonly #disposed = new AbortController();
  /** Aborted when the run must stop, or no longer needs features. */
  readonly #signal: AbortSignal;
  #predictor: Predictor | null = null;
  #train: Float32Array | null = null;
  #test: Promise<SplitFeatures> | null = null;

  constructor(context: KindContext, setup: ProbeSetup) {
    this.#context = context;
    this.#setup = setup;
    this.#signal = AbortSignal.any([context.signal, this.#disposed.signal]);
  }

  /**
   * Computes the features of the training images, if they fit in memory. Events report the progress. Those of the test
   * split are computed in other threads while the head is trained.
   *
   * @param weights the parameters of the classifier
   * @throws the reason of the context's signal
   */
  async *open(weights: HostWeights): AsyncGenerator<KindEvent, void> {
    const { backend, config, train, testCount } = this.#setup, { maxFeatureBytes } = this.#context.settings;
    const predictor = await openRunPredictor(this.#context, backend, { config, weights });
    this.#predictor = predictor;
    const bytes = (images: number) => 4 * images * config.embedDim;
    if (bytes(train.count) > maxFeatureBytes) {
      const message = `The features of ${train.count} images take ${bytes(train.count)} bytes, and the ` +
        `limit is ${maxFeatureBytes} (UNMASK_MAX_FEATURE_BYTES): they are computed in every epoch`;
      return yield { type: "log", level: "warning", message };
    }
    this.#train = yield* this.#reported(predictor, train);
    const inThreads = backend.planner !== undefined && predictor.note === null;
    if (testCount === 0 || !inThreads || bytes(train.count + testCount) > maxFeatureBytes) {
      return await this.#close();
    }
    this.#test = this.#computeTest(predictor).finally(() => this.#close());
    // An error is thrown where the features are used. Until then it must not count as unhandled.
    this.#test.catch(() => {});
  }

  async *#reported(predictor: Predictor, set: ImageSet): AsyncGenerator<KindEvent, Float32Array> {
    const features = new Float32Array(set.count * predictor.config.embedDim), total = set.count;
    const start = performance.now();
    let reportedAt = start;
    yield { type: "features", images: 0, total };
    for await (const images of computeFeatures(predictor, set, features, this.#signal)) {
      const now = performance.now(), interval = Math.max(REPORT_MS, REPORT_SHARE * (now - start));
      if (images < total && now - reportedAt < interval) continue;
      reportedAt = now;
      yield { type: "features", images, total };
    }
    return features;
  }

  async #computeTest(predictor: Predictor): Promise<SplitFeatures> {
    const set = await this.#setup.loadTest();
    const features = new Float32Array(set.count * predictor.config.embedDim);
    for await (const _ of computeFeatures(predictor, set, features, this.#signal));
    return { set, features };
  }

  /** Returns the batches of an epoch. The numbers do not depend on whether the features are in memory. */
  batches(options: BatchOptions): Batches {
    const { train, config } = this.#setup;
    if (this.#train === null) return this.#predictedBatches(options);
    return featureBatches({ features: this.#train, width: config.embedDim, labels: train.labels! }, options);
  }

  async *#predictedBatches(options: BatchOptions): AsyncGenerator<FeatureBatch, void> {
    for (const { pixels, labels } of epochBatches(this.#setup.train, options)) {
      yield { features: await featuresOfBatch(this.#predictor!, pixels, this.#signal), labels: labels! };
    }
  }

  /** Returns the test split with its features; null when they were not computed. */
  async test(): Promise<SplitFeatures | null> {
    return await this.#test;
  }

  /** Ends the computation of features, and frees the encoder. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#disposed.abort();
    await this.#test?.catch(() => {});
    await this.#close();
  }

  /** Frees the encoder once it is no longer needed. */
  async #close(): Promise<void> {
    const predictor = this.#predictor;
    this.#predictor = null;
    await predictor?.dispose();
  }
}
