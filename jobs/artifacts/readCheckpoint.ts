/**
 * Reads a checkpoint, and checks it against its row in the database.
 *
 * @module
 */
import { readBytes } from "../../data/bytes.ts";
import { ObjectNotFoundError, type ObjectStore } from "../../data/objects/store.ts";
import { readSafetensors, type Tensor } from "../../data/safetensors/safetensors.ts";
import { fromWire } from "../../data/wire.ts";
import { checkWeights, WeightsError } from "../../model/checkWeights.ts";
import type { MaeConfig } from "../../model/config.ts";
import type { TrainerState } from "../../model/training/trainer.ts";
import {
  type Architecture,
  type HostTensor,
  type HostWeights,
  isTrainable,
  type ParameterSpec,
  parameterSpecs,
} from "../../model/weights.ts";
import type { Checkpoint } from "../job.ts";
import { classesOf } from "./classNames.ts";
import { readOrFail } from "./readOrFail.ts";
import { sha256 } from "./sha256.ts";

/** Returns the architecture of a checkpoint's model. */
export function architectureOf(
  checkpoint: Pick<Checkpoint, "model" | "classes" | "classNames">,
): Architecture {
  const { model } = checkpoint;
  return model === "mae" ? { model } : { model, classes: classesOf(checkpoint) };
}

/**
 * Checks that the file of the weights exists and has the recorded size, without reading it.
 *
 * @throws {JobFailure} `checkpoint_unreadable`
 */
export async function checkStored(store: ObjectStore, checkpoint: Checkpoint): Promise<void> {
  await readOrFail(checkpoint, async () => {
    const info = await store.head(checkpoint.objectKey);
    if (info === null) throw new ObjectNotFoundError(checkpoint.objectKey);
    if (info.size !== checkpoint.size) {
      throw new WeightsError(`Its file has ${info.size} bytes, not ${checkpoint.size}`);
    }
  });
}

/**
 * Reads the parameters of a checkpoint. Checks the digest, and the names, shapes and values of the parameters.
 *
 * @throws {JobFailure} `checkpoint_unreadable`
 */
export async function loadWeights(
  store: ObjectStore,
  checkpoint: Checkpoint,
): Promise<Map<string, HostTensor>> {
  return await readOrFail(checkpoint, async () => {
    const bytes = await readObject(store, checkpoint.objectKey);
    if (await sha256(bytes) !== checkpoint.sha256) {
      throw new WeightsError("Its SHA-256 is not the recorded one");
    }
    return parseWeights(bytes, checkpoint.config, architectureOf(checkpoint));
  });
}

/** Returns the parameters in a safetensors file. @throws {SafetensorsError} @throws {WeightsError} */
function parseWeights(
  bytes: Uint8Array<ArrayBuffer>,
  config: MaeConfig,
  architecture: Architecture,
): Map<string, HostTensor> {
  const { tensors, metadata } = readSafetensors(bytes);
  for (const [field, value] of Object.entries(metadataConfig(metadata.config))) {
    const expected = config[field as keyof MaeConfig];
    if (value !== expected) {
      throw new WeightsError(`Its metadata has ${field} ${value}, and its row has ${expected}`);
    }
  }
  return checkWeights(float32Tensors(tensors), config, architecture);
}

/** Returns the configuration in a file's metadata. @throws {WeightsError} when it is not a JSON object */
function metadataConfig(text: string | undefined): Partial<MaeConfig> {
  if (text === undefined) return {};
  let config: unknown;
  try {
    config = JSON.parse(text);
  } catch {
    throw new WeightsError("Its metadata's config is not JSON");
  }
  if (typeof config !== "object" || config === null || Array.isArray(config)) {
    throw new WeightsError("Its metadata's config is not a JSON object");
  }
  return fromWire(config as Record<string, unknown>) as Partial<MaeConfig>;
}

/**
 * Reads the weights and the optimiser's state of a checkpoint, from which a run resumes.
 *
 * @param freezeEncoder whether the optimiser has moments of the head only
 * @throws {JobFailure} `checkpoint_unreadable`
 */
export async function loadState(
  store: ObjectStore,
  checkpoint: Checkpoint,
  freezeEncoder: boolean,
): Promise<TrainerState> {
  const weights = await loadWeights(store, checkpoint);
  return await readOrFail(checkpoint, async () => {
    const bytes = await readObject(store, checkpoint.stateKey!);
    const { stateSha256, step } = checkpoint;
    // Rows of earlier versions have no digest of the state. Only its format and its values can then be checked.
    if (stateSha256 && await sha256(bytes) !== stateSha256) {
      throw new WeightsError("The SHA-256 of the optimiser's state is not the recorded one");
    }
    const { tensors, metadata } = readSafetensors(bytes, { finite: true });
    const epochLossSum = Number(metadata.epoch_loss_sum);
    if (Number(metadata.step) !== step || !Number.isFinite(epochLossSum)) {
      throw new WeightsError(`The optimiser's state is of step ${metadata.step}, not of ${step}`);
    }
    const state = float32Tensors(tensors);
    const trainable = parameterSpecs(checkpoint.config, architectureOf(checkpoint))
      .filter(({ name }) => isTrainable(name, freezeEncoder));
    const expAvg = momentsOf(state, "exp_avg", trainable);
    const expAvgSq = momentsOf(state, "exp_avg_sq", trainable);
    return { step, epochLossSum, weights, optimizer: { step, expAvg, expAvgSq } };
  });
}

/** Returns one moment of each parameter. @throws {WeightsError} for a missing one or a wrong shape */
function momentsOf(
  state: HostWeights,
  moment: "exp_avg" | "exp_avg_sq",
  specs: readonly ParameterSpec[],
): Map<string, HostTensor> {
  return new Map(specs.map(({ name, shape }) => {
    const tensor = state.get(`${moment}.${name}`);
    if (!tensor || String(tensor.shape) !== String(shape)) {
      throw new WeightsError(`The optimiser's state has no '${moment}.${name}' of shape [${shape}]`);
    }
    return [name, tensor];
  }));
}

async function readObject(store: ObjectStore, key: string): Promise<Uint8Array<ArrayBuffer>> {
  return await readBytes((await store.get(key)).body);
}

function float32Tensors(tensors: ReadonlyMap<string, Tensor>): HostWeights {
  return new Map([...tensors].map(([name, { dtype, shape, data }]) => {
    if (dtype !== "F32") throw new WeightsError(`Tensor '${name}' has dtype ${dtype}: it must be F32`);
    return [name, { shape, data: data as Float32Array<ArrayBuffer> }];
  }));
}
