/**
 * The training loop: the same for pre-training, fine-tuning and linear probes. It knows no job, no file and no clock.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { classify, features } from "./classifier.ts";
import { type MaeConfig, numPatches } from "./config.ts";
import { lossAndGradient } from "./gradients.ts";
import { forward, maskBatch } from "./mae.ts";
import { crossEntropy } from "./ops/cross_entropy.ts";
import type { DropoutKey } from "./ops/dropout.ts";
import { AdamW, type AdamWOptions, type OptimizerState } from "./optimizer.ts";
import { uniform } from "./random.ts";
import { learningRate, type Schedule } from "./schedule.ts";
import type { Weights } from "./transformer.ts";
import { type HostTensor, type HostWeights, type ModelShape, parameterSpecs } from "./weights.ts";

/** Pictures of one step. */
export interface TrainingBatch {
  /** `[batch, height, width, channels]` in [0, 1]. */
  readonly pixels: Float32Array;
  /** `[batch]`; only a classifier needs them. */
  readonly labels: Int32Array | null;
}

/** Everything a run depends on: equal options give equal numbers. */
export interface TrainOptions {
  readonly config: MaeConfig;
  readonly shape: ModelShape;
  /** Trains the head alone (linear probe). */
  readonly freezeEncoder?: boolean;
  /** Every parameter of the model, at the start. */
  readonly weights: HostWeights;
  readonly optimizer: AdamWOptions;
  /** `totalSteps` is where the run ends. */
  readonly schedule: Schedule;
  readonly stepsPerEpoch: number;
  readonly seed: number;
  /** Steps between checkpoints; one more comes at the end. */
  readonly checkpointSteps: number;
  /** The batches of an epoch from one of them on; a function of its arguments alone. */
  batches(epoch: number, fromBatch: number): Iterable<TrainingBatch>;
}

/** Where a run stands, complete enough to continue bit for bit. */
export interface TrainerState {
  /** Optimiser steps done. */
  readonly step: number;
  /** Sum of the losses of the epoch being run. */
  readonly epochLossSum: number;
  /** Every parameter of the model, frozen ones too. */
  readonly weights: HostWeights;
  readonly optimizer: OptimizerState;
}

/** What happens while training, in order. Epochs count from 0, steps from 1. */
export type TrainerEvent =
  | { readonly type: "step"; step: number; epoch: number; loss: number; lr: number; images: number }
  | { readonly type: "epoch"; step: number; epoch: number; loss: number }
  | {
    readonly type: "checkpoint";
    step: number;
    epoch: number;
    final: boolean;
    loss: number;
    state: TrainerState;
  };

/** Training that cannot go on; `code` for programs. */
export class TrainingError extends Error {
  override readonly name = "TrainingError";
  constructor(readonly code: string, message: string) {
    super(message);
  }
}

/** The loss of a batch as a function of the weights. Masks and dropout depend on (seed, epoch, step) alone. */
function batchLoss(options: TrainOptions, batch: TrainingBatch, epoch: number, step: number) {
  const { config, shape, seed } = options;
  const drop: DropoutKey = { rate: config.dropout, seed, epoch, step };
  const images = batch.pixels.length / (config.imageSize ** 2 * config.inChannels);
  if (shape.model === "mae") {
    const noise = uniform({ seed, purpose: "mask", epoch, step }, images * numPatches(config));
    const masked = maskBatch(config, batch.pixels, noise, config.maskRatio);
    return { images, loss: (weights: Weights) => forward(weights, config, masked, drop).loss };
  }
  const loss = (weights: Weights) => {
    const pooled = features(weights, config, batch.pixels, options.freezeEncoder ? undefined : drop);
    return crossEntropy(classify(weights, pooled), batch.labels!);
  };
  return { images, loss };
}

/**
 * Trains a model, telling each step, each epoch's mean loss and each checkpoint. The backend must be selected.
 *
 * @param resumeFrom continues there as if never interrupted
 * @throws {TrainingError} `loss_not_finite` when the loss is NaN or infinite; nothing is saved of that step
 * @throws the signal's reason, between steps
 */
export async function* train(
  options: TrainOptions,
  { resumeFrom, signal }: { resumeFrom?: TrainerState; signal?: AbortSignal } = {},
): AsyncGenerator<TrainerEvent, void> {
  const { schedule, stepsPerEpoch } = options;
  const specs = parameterSpecs(options.config, options.shape);
  const isFrozen = (name: string) => Boolean(options.freezeEncoder) && !name.startsWith("head.");
  const start = resumeFrom?.weights ?? options.weights;
  const frozenHost = new Map([...start].filter(([name]) => isFrozen(name)));
  const frozen = Object.fromEntries(
    [...frozenHost].map(([name, { data, shape }]) => [name, tf.tensor(data, [...shape])]),
  );
  const trainable = specs.filter(({ name }) => !isFrozen(name));
  const optimizer = new AdamW(trainable, start, options.optimizer, resumeFrom?.optimizer);
  let step = resumeFrom?.step ?? 0;
  let epochLossSum = resumeFrom?.epochLossSum ?? 0;
  let lastLoss = 0;

  const state = async (): Promise<TrainerState> => {
    const trained = await optimizer.weights();
    const weights = new Map<string, HostTensor>(
      specs.map(({ name }) => [name, trained.get(name) ?? frozenHost.get(name)!]),
    );
    return { step, epochLossSum, weights, optimizer: await optimizer.state() };
  };

  try {
    while (step < schedule.totalSteps) {
      const epoch = Math.floor(step / stepsPerEpoch);
      const firstBatch = step % stepsPerEpoch;
      if (firstBatch === 0) epochLossSum = 0;
      let done = firstBatch;
      for (const batch of options.batches(epoch, firstBatch)) {
        signal?.throwIfAborted();
        const lr = learningRate(schedule, step);
        const { images, loss } = batchLoss(options, batch, epoch, step);
        const result = lossAndGradient(optimizer, frozen, loss);
        lastLoss = (await result.loss.data())[0];
        if (!Number.isFinite(lastLoss)) {
          tf.dispose([result.loss, ...result.gradients]);
          throw new TrainingError(
            "loss_not_finite",
            `The loss is ${lastLoss} at step ${step + 1}: lower lr, or add warm-up`,
          );
        }
        optimizer.step(result.gradients, lr);
        tf.dispose([result.loss, ...result.gradients]);
        step++;
        done++;
        epochLossSum += lastLoss;
        yield { type: "step", step, epoch, loss: lastLoss, lr, images };
        const final = step === schedule.totalSteps;
        if (done === stepsPerEpoch || final) yield { type: "epoch", step, epoch, loss: epochLossSum / done };
        if (final || step % options.checkpointSteps === 0) {
          yield { type: "checkpoint", step, epoch, final, loss: lastLoss, state: await state() };
        }
        if (done === stepsPerEpoch || final) break;
      }
      if (done < stepsPerEpoch && step < schedule.totalSteps) {
        throw new TrainingError(
          "data_ended",
          `Epoch ${epoch} gave ${done} batches instead of ${stepsPerEpoch}`,
        );
      }
    }
  } finally {
    optimizer.dispose();
    tf.dispose(frozen);
  }
}
