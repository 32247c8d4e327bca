/**
 * Writes a checkpoint: a safetensors file with the model's `state_dict`, and a second one with the optimiser's state.
 *
 * @module
 */
import { ulid } from "ulid";
import type { ObjectStore } from "../../data/objects/store.ts";
import { type SafetensorsFile, safetensorsFile, type Tensor } from "../../data/safetensors/safetensors.ts";
import { toWire } from "../../data/wire.ts";
import type { MaeConfig } from "../../model/config.ts";
import { tablesOf } from "../../model/positions.ts";
import type { TrainerState } from "../../model/training/trainer.ts";
import { type Architecture, bufferTensors, type HostTensor } from "../../model/weights.ts";
import type { Checkpoint } from "../job.ts";
import { namesForRow } from "./classNames.ts";
import { checkpointKeys } from "./objectKeys.ts";
import { putVerified } from "./putVerified.ts";

/** The content of a checkpoint. */
export interface CheckpointContent {
  /** See {@linkcode newCheckpointId}. */
  readonly id: string;
  readonly jobId: string;
  readonly config: MaeConfig;
  readonly architecture: Architecture;
  readonly classNames: readonly string[];
  readonly state: TrainerState;
  readonly epoch: number;
  readonly final: boolean;
  readonly metrics: Readonly<Record<string, number>>;
}

/** Returns a new checkpoint id. */
export function newCheckpointId(): string {
  return `ckpt_${ulid()}`;
}

/**
 * Writes both objects of a checkpoint and reads them back. If that fails, both are deleted. The tensors must not change
 * until then. They are written in chunks, so that memory holds no copy of a large model.
 *
 * @param signal cancels the write
 * @returns the row to commit
 * @throws {JobFailure} `checkpoint_damaged` when an object differs from what was written
 */
export async function saveCheckpoint(
  store: ObjectStore,
  content: CheckpointContent,
  signal?: AbortSignal,
): Promise<Omit<Checkpoint, "createdAt">> {
  const { id, config, architecture, state } = content;
  const { objectKey, stateKey } = checkpointKeys(id);
  try {
    const states = stateFile(state);
    const stateSha256 = await putVerified(store, stateKey, () => states.chunks(), signal);
    const file = weightsFile(content);
    const digest = await putVerified(store, objectKey, () => file.chunks(), signal);
    return {
      id,
      jobId: content.jobId,
      model: architecture.model,
      step: state.step,
      epoch: content.epoch,
      final: content.final,
      metrics: content.metrics,
      config,
      classes: content.classNames.length,
      classNames: namesForRow(content.classNames),
      size: file.size,
      sha256: digest,
      objectKey,
      stateKey,
      stateSha256,
    };
  } catch (error) {
    await Promise.allSettled([store.delete(objectKey), store.delete(stateKey)]);
    throw error;
  }
}

/** Returns the metadata of the safetensors file of a model. */
export function weightsMetadata(
  config: MaeConfig,
  { model }: Architecture,
  classNames: readonly string[],
  step: number,
): Record<string, string> {
  return {
    format: "pt",
    model,
    config: JSON.stringify(toWire(config)),
    layer_norm_eps: String(config.layerNormEps),
    class_names: JSON.stringify(classNames),
    step: String(step),
  };
}

const float32 = ({ shape, data }: HostTensor): Tensor => ({ dtype: "F32", shape: [...shape], data });

/** Returns the safetensors file of the `state_dict`, with the configuration in its metadata. */
function weightsFile(
  { config, architecture, classNames, state }: CheckpointContent,
): SafetensorsFile {
  const tables = tablesOf(config, state.weights);
  const tensors = [...bufferTensors(config, architecture, tables), ...state.weights]
    .map(([name, tensor]) => [name, float32(tensor)] as const);
  return safetensorsFile(new Map(tensors), weightsMetadata(config, architecture, classNames, state.step));
}

/** Returns the safetensors file of the optimiser's state. */
function stateFile({ step, epochLossSum, optimizer }: TrainerState): SafetensorsFile {
  const moments = new Map<string, Tensor>();
  for (const [name, tensor] of optimizer.expAvg) moments.set(`exp_avg.${name}`, float32(tensor));
  for (const [name, tensor] of optimizer.expAvgSq) moments.set(`exp_avg_sq.${name}`, float32(tensor));
  return safetensorsFile(moments, { step: String(step), epoch_loss_sum: String(epochLossSum) });
}
