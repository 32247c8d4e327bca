/**
 * Checkpoints as objects: a safetensors file with the tutorial model's `state_dict`, and beside it the optimiser's
 * state and the position in the data.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { ulid } from "ulid";
import { ObjectNotFoundError, type ObjectStore } from "../../data/objects/store.ts";
import { readSafetensors, type Tensor, writeSafetensors } from "../../data/safetensors/safetensors.ts";
import { fromWire, toWire } from "../../data/wire.ts";
import type { MaeConfig } from "../../model/config.ts";
import { LAYER_NORM_EPS } from "../../model/ops/layerNorm.ts";
import type { TrainerState } from "../../model/training/trainer.ts";
import { checkWeights, WeightsError } from "../../model/checkWeights.ts";
import {
  bufferTensors,
  type HostTensor,
  type HostWeights,
  type ModelShape,
  parameterSpecs,
} from "../../model/weights.ts";
import { classesOf, namesForRow } from "./classNames.ts";
import type { Checkpoint } from "../job.ts";
import { JobFailure } from "../failure.ts";
import { checkpointKeys } from "./objectKeys.ts";
import { unreadable } from "./unreadable.ts";

/** A checkpoint to be written. */
export interface CheckpointContent {
  readonly jobId: string;
  readonly config: MaeConfig;
  readonly shape: ModelShape;
  readonly classNames: readonly string[];
  readonly state: TrainerState;
  readonly epoch: number;
  readonly final: boolean;
  readonly metrics: Readonly<Record<string, number>>;
}

const f32 = ({ shape, data }: HostTensor): Tensor => ({ dtype: "F32", shape: [...shape], data });

/** Digest of bytes, or of a body as it comes: a large model's file is not held twice for it. */
async function sha256(body: Uint8Array | ReadableStream<Uint8Array<ArrayBuffer>>): Promise<string> {
  const hash = createHash("sha256");
  if (body instanceof Uint8Array) hash.update(body);
  else for await (const piece of body) hash.update(piece);
  return hash.digest("hex");
}

async function readObject(store: ObjectStore, key: string): Promise<Uint8Array<ArrayBuffer>> {
  const { body } = await store.get(key);
  return new Uint8Array(await new Response(body).arrayBuffer());
}

/** Puts an object and reads it back: a checkpoint counts only when it can be read. */
async function putChecked(store: ObjectStore, key: string, bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = await sha256(bytes);
  await store.put(key, bytes);
  if (await sha256((await store.get(key)).body) !== digest) {
    throw new JobFailure(
      "checkpoint_damaged",
      `The object '${key}' reads back different from what was written`,
    );
  }
  return digest;
}

/** The `state_dict` as a file. */
function weightsFile({ config, shape, classNames, state }: CheckpointContent): Uint8Array<ArrayBuffer> {
  const weights = new Map(
    [...bufferTensors(config, shape), ...state.weights].map(([name, tensor]) => [name, f32(tensor)]),
  );
  return writeSafetensors(weights, {
    format: "pt",
    model: shape.model,
    config: JSON.stringify(toWire(config)),
    layer_norm_eps: String(LAYER_NORM_EPS),
    class_names: JSON.stringify(classNames),
    step: String(state.step),
  });
}

/** The optimiser's state as a file. */
function stateFile({ step, epochLossSum, optimizer }: TrainerState): Uint8Array<ArrayBuffer> {
  const moments = new Map<string, Tensor>();
  for (const [name, tensor] of optimizer.expAvg) moments.set(`exp_avg.${name}`, f32(tensor));
  for (const [name, tensor] of optimizer.expAvgSq) moments.set(`exp_avg_sq.${name}`, f32(tensor));
  return writeSafetensors(moments, { step: String(step), epoch_loss_sum: String(epochLossSum) });
}

/** An id that no checkpoint has. */
export function newCheckpointId(): string {
  return `ckpt_${ulid()}`;
}

/**
 * Writes both objects of a checkpoint and reads them back.
 *
 * @returns the row to commit; until then nobody knows of the objects
 */
export async function saveCheckpoint(
  store: ObjectStore,
  content: CheckpointContent,
  id: string = newCheckpointId(),
): Promise<Omit<Checkpoint, "createdAt">> {
  const { config, shape, state } = content;
  const { objectKey, stateKey } = checkpointKeys(id);
  try {
    // One file after the other, each made when its turn comes: beside a large model there is room for no more.
    const stateDigest = await putChecked(store, stateKey, stateFile(state));
    const file = weightsFile(content);
    const digest = await putChecked(store, objectKey, file);
    return {
      id,
      jobId: content.jobId,
      model: shape.model,
      step: state.step,
      epoch: content.epoch,
      final: content.final,
      metrics: content.metrics,
      config,
      classes: content.classNames.length,
      classNames: namesForRow(content.classNames),
      size: file.length,
      sha256: digest,
      objectKey,
      stateKey,
      stateSha256: stateDigest,
    };
  } catch (error) {
    await Promise.allSettled([store.delete(objectKey), store.delete(stateKey)]);
    throw error;
  }
}

/**
 * Checks that the file with the weights exists and has the recorded length. The file is not read.
 *
 * @throws {JobFailure} `checkpoint_unreadable`
 */
export async function checkStored(store: ObjectStore, checkpoint: Checkpoint): Promise<void> {
  await unreadable(checkpoint, async () => {
    const info = await store.head(checkpoint.objectKey);
    if (info === null) throw new ObjectNotFoundError(checkpoint.objectKey);
    if (info.size !== checkpoint.size) {
      throw new WeightsError(`Its file has ${info.size} bytes, not ${checkpoint.size}`);
    }
  });
}

/** What a model of that checkpoint is. */
export function shapeOf(checkpoint: Pick<Checkpoint, "model" | "classes" | "classNames">): ModelShape {
  return checkpoint.model === "mae"
    ? { model: "mae" }
    : { model: "classifier", classes: classesOf(checkpoint) };
}

/**
 * Reads a checkpoint's parameters, checked against its row: the digest, the format's rules, and the exact names,
 * shapes and finiteness that the config asks for.
 *
 * @throws {JobFailure} `checkpoint_unreadable`
 */
export async function loadWeights(
  store: ObjectStore,
  checkpoint: Checkpoint,
): Promise<Map<string, HostTensor>> {
  return await unreadable(checkpoint, async () => {
    const bytes = await readObject(store, checkpoint.objectKey);
    if (await sha256(bytes) !== checkpoint.sha256) {
      throw new WeightsError("its SHA-256 is not the one recorded");
    }
    return parseWeights(bytes, checkpoint.config, shapeOf(checkpoint));
  });
}

/**
 * The parameters in a safetensors file.
 *
 * @throws {SafetensorsError} @throws {WeightsError}
 */
export function parseWeights(
  bytes: Uint8Array<ArrayBuffer>,
  config: MaeConfig,
  shape: ModelShape,
): Map<string, HostTensor> {
  const { tensors, metadata } = readSafetensors(bytes);
  for (const [field, value] of Object.entries(statedConfig(metadata.config))) {
    if (config[field as keyof MaeConfig] !== value) {
      throw new WeightsError(
        `Its metadata says ${field} ${value}, the config ${config[field as keyof MaeConfig]}`,
      );
    }
  }
  return checkWeights(floats(tensors), config, shape);
}

/** What a file's metadata say of its config. @throws {WeightsError} when that is no JSON object */
function statedConfig(text: string | undefined): Partial<MaeConfig> {
  if (text === undefined) return {};
  let stated: unknown;
  try {
    stated = JSON.parse(text);
  } catch {
    throw new WeightsError("Its metadata's config is no JSON");
  }
  if (typeof stated !== "object" || stated === null || Array.isArray(stated)) {
    throw new WeightsError("Its metadata's config is no JSON object");
  }
  return fromWire(stated as Record<string, unknown>) as Partial<MaeConfig>;
}

/**
 * Reads where a run stood.
 *
 * @param trained names of the parameters that have moments
 * @throws {JobFailure} `checkpoint_unreadable`
 */
export async function loadState(
  store: ObjectStore,
  checkpoint: Checkpoint,
  trained: (name: string) => boolean,
): Promise<TrainerState> {
  const weights = await loadWeights(store, checkpoint);
  return await unreadable(checkpoint, async () => {
    const bytes = await readObject(store, checkpoint.stateKey!);
    const { stateSha256: recorded } = checkpoint;
    // Rows of earlier versions have no digest of the state. For those only its form and its numbers can be checked.
    if (recorded && await sha256(bytes) !== recorded) {
      throw new WeightsError("The SHA-256 of the optimiser's state is not the one recorded");
    }
    const { tensors, metadata } = readSafetensors(bytes, { finite: true });
    const state = floats(tensors);
    const moments = (kind: string) =>
      new Map(
        parameterSpecs(checkpoint.config, shapeOf(checkpoint)).filter(({ name }) => trained(name)).map(
          ({ name, shape }) => {
            const tensor = state.get(`${kind}.${name}`);
            if (!tensor || String(tensor.shape) !== String(shape)) {
              throw new WeightsError(`The optimiser's state has no '${kind}.${name}' of shape [${shape}]`);
            }
            return [name, tensor];
          },
        ),
      );
    const step = Number(metadata.step), epochLossSum = Number(metadata.epoch_loss_sum);
    if (step !== checkpoint.step || !Number.isFinite(epochLossSum)) {
      throw new WeightsError(`The optimiser's state is of step ${metadata.step}, not of ${checkpoint.step}`);
    }
    const optimizer = { step, expAvg: moments("exp_avg"), expAvgSq: moments("exp_avg_sq") };
    return { step, epochLossSum, weights, optimizer };
  });
}

function floats(tensors: ReadonlyMap<string, Tensor>): HostWeights {
  return new Map([...tensors].map(([name, { dtype, shape, data }]) => {
    if (dtype !== "F32") throw new WeightsError(`Tensor '${name}' has dtype ${dtype}: it must be F32`);
    return [name, { shape, data: data as Float32Array<ArrayBuffer> }];
  }));
}
