/**
 * Writes the checkpoints of a training, one at a time.
 *
 * @module
 */
import { type ImagePreprocessing, resolvePreprocessing } from "../../../data/images/preprocessing.ts";
import type { MaeConfig } from "../../../model/config.ts";
import type { TrainerEvent, TrainerState } from "../../../model/training/trainer.ts";
import type { Architecture, HostWeights } from "../../../model/weights.ts";
import { checkpointKeys, objectKeysOf } from "../../artifacts/objectKeys.ts";
import { newCheckpointId, saveCheckpoint } from "../../artifacts/writeCheckpoint.ts";
import type { Checkpoint } from "../../job.ts";
import { notFinite } from "../finite.ts";
import type { KindContext, KindEvent } from "../kind.ts";

/** The parts of a checkpoint that are the same for the whole training. */
export interface CheckpointSetup {
  readonly config: MaeConfig;
  readonly architecture: Architecture;
  readonly classNames: readonly string[];
  /** How transparent and non-square images were converted. */
  readonly preprocessing: ImagePreprocessing;
}

/** A checkpoint that is being written. */
interface PendingCheckpoint {
  readonly saved: Promise<Omit<Checkpoint, "createdAt">>;
  isSettled: boolean;
}

/** Writes and reports checkpoints. */
export class CheckpointWriter {
  readonly #context: KindContext;
  readonly #setup: CheckpointSetup;
  #pending: PendingCheckpoint | null = null;
  #latest: string | null = null;

  constructor(context: KindContext, setup: CheckpointSetup) {
    this.#context = context;
    this.#setup = setup;
  }

  /** Id of the latest checkpoint that was reported; null before the first. */
  get latest(): string | null {
    return this.#latest;
  }

  /**
   * Starts to write a checkpoint, after the previous one is complete.
   *
   * @param event its state must not change until {@linkcode finish} has returned
   * @throws {JobFailure} `not_finite`
   */
  async *begin(
    { state, epoch, final, loss }: Extract<TrainerEvent, { type: "checkpoint" }>,
  ): AsyncGenerator<KindEvent, void> {
    yield* this.finish();
    checkWeightsFinite(state);
    const { jobId, store, signal, recorded } = this.#context, id = newCheckpointId();
    const { config, architecture, classNames } = this.#setup;
    yield { type: "saving", objectKeys: objectKeysOf(checkpointKeys(id)) };
    const content = { id, jobId, config, architecture, classNames, state, epoch, final, metrics: { loss } };
    const save = async () => {
      await recorded?.();
      return await saveCheckpoint(store, content, signal);
    };
    const pending: PendingCheckpoint = { saved: save(), isSettled: false };
    // An error is thrown by `finish`. Until then it must not count as unhandled.
    pending.saved.catch(() => {}).finally(() => pending.isSettled = true);
    this.#pending = pending;
  }

  /** Reports the checkpoint if it is complete, without a wait. */
  async *poll(): AsyncGenerator<KindEvent, void> {
    if (this.#pending?.isSettled) yield* this.finish();
  }

  /** Waits until the checkpoint is complete, and reports it. @throws the error of the write */
  async *finish(): AsyncGenerator<KindEvent, void> {
    if (this.#pending === null) return;
    const saved = await this.#pending.saved;
    this.#pending = null;
    this.#latest = saved.id;
    yield {
      type: "checkpoint",
      checkpoint: { ...saved, rule: resolvePreprocessing(this.#setup.preprocessing) },
    };
  }

  /** Waits for the end of an unfinished write, and ignores its result. */
  async settle(): Promise<void> {
    await this.#pending?.saved.catch(() => {});
  }
}

/** Copies the part of a state that the next step changes. */
export function copyOfState({ weights, optimizer, ...position }: TrainerState): TrainerState {
  const { expAvg, expAvgSq, step } = optimizer;
  const copy = (tensors: HostWeights) =>
    new Map([...tensors].map(([name, { shape, data }]) => {
      return [name, { shape, data: expAvg.has(name) ? data.slice() : data }] as const;
    }));
  return {
    ...position,
    weights: copy(weights),
    optimizer: { step, expAvg: copy(expAvg), expAvgSq: copy(expAvgSq) },
  };
}

/** Checks the trained weights before they are stored. @throws {JobFailure} `not_finite` */
function checkWeightsFinite({ step, weights, optimizer }: TrainerState): void {
  for (const [name, { data }] of weights) {
    if (!optimizer.expAvg.has(name)) continue;
    const index = data.findIndex((value) => !Number.isFinite(value));
    if (index !== -1) throw notFinite(`A weight of '${name}' is ${data[index]} after step ${step}`);
  }
}
