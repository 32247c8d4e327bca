/**
 * Reads a checkpoint, and checks it against its row in the database.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { ObjectNotFoundError, type ObjectStore } from "../../data/objects/store.ts";
import { findNonFinite } from "../../data/safetensors/dtype.ts";
import { readStoredHeader } from "../../data/safetensors/storedHeader.ts";
import { openStoredTensors } from "../../data/safetensors/storedTensors.ts";
import { fromWire } from "../../data/wire.ts";
import { WeightsChecker, WeightsError } from "../../model/checkWeights.ts";
import type { MaeConfig } from "../../model/config.ts";
import { momentKey, type StoredState } from "../../model/training/storedState.ts";
import { type Architecture, type HostTensor, isTrainable, parameterSpecs } from "../../model/weights.ts";
import type { Checkpoint } from "../job.ts";
import { classesOf } from "./classNames.ts";
import { float32Tensor } from "./float32.ts";
import { readOrFail, yieldOrFail } from "./readOrFail.ts";

/** Returns the architecture of a checkpoint's model. */
export function architectureOf(
  checkpoint: Pick<Checkpoint, "model" | "classes" | "classNames">,
): Architecture {
  const { model } = checkpoint;
  return model === "classifier" ? { model, classes: classesOf(checkpoint) } : { model };
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
  return new Map(await Array.fromAsync(streamWeights(store, checkpoint)));
}

/** Checks the configuration in a file's metadata. @throws {WeightsError} when it is not that of the row */
function checkConfig(text: string | undefined, config: MaeConfig): void {
  for (const [field, value] of Object.entries(metadataConfig(text))) {
    const expected = config[field as keyof MaeConfig];
    if (JSON.stringify(value) !== JSON.stringify(expected)) {
      throw new WeightsError(
        `Its metadata has ${field} ${JSON.stringify(value)}, and its row has ${JSON.stringify(expected)}`,
      );
    }
  }
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
 * Opens the state of a checkpoint, from which a run resumes. Both files are read once to check their digests, names,
 * shapes and values, and again while the training opens. A large state is never in memory as a whole.
 *
 * @param freezeEncoder whether the optimiser has moments of the head only
 * @throws {JobFailure} `checkpoint_unreadable`
 */
export async function openState(
  store: ObjectStore,
  checkpoint: Checkpoint,
  freezeEncoder: boolean,
): Promise<StoredState> {
  const weights = () => streamWeights(store, checkpoint);
  const moments = () => yieldOrFail(checkpoint, readMoments(store, checkpoint, freezeEncoder));
  return await readOrFail(checkpoint, async () => {
    const { metadata } = await readStoredHeader(store, checkpoint.stateKey!);
    const step = Number(metadata.step), epochLossSum = Number(metadata.epoch_loss_sum);
    if (step !== checkpoint.step || !Number.isFinite(epochLossSum)) {
      throw new WeightsError(`The optimiser's state is of step ${metadata.step}, not of ${checkpoint.step}`);
    }
    for (const stream of [weights(), moments()]) for await (const _tensor of stream);
    return { step, epochLossSum, weights, moments };
  });
}

/**
 * Reads the parameters of a checkpoint one after the other, with the checks of {@linkcode loadWeights}. The digest is
 * checked after the last tensor.
 *
 * @throws {JobFailure} `checkpoint_unreadable`
 */
export function streamWeights(
  store: ObjectStore,
  checkpoint: Checkpoint,
): AsyncGenerator<[string, HostTensor], void> {
  return yieldOrFail(checkpoint, readWeights(store, checkpoint));
}

/** Reads the parameters of a checkpoint. @throws {SafetensorsError} @throws {WeightsError} also after the last tensor */
async function* readWeights(
  store: ObjectStore,
  checkpoint: Checkpoint,
): AsyncGenerator<[string, HostTensor], void> {
  const { objectKey, config } = checkpoint, hash = createHash("sha256");
  await using file = await openStoredTensors(store, objectKey, (bytes) => hash.update(bytes));
  const checker = new WeightsChecker(config, architectureOf(checkpoint));
  checkConfig(file.metadata.config, config);
  checker.checkNames(file.tensors.keys());
  for await (const [name, tensor] of file.read()) {
    const weight = float32Tensor(name, tensor);
    if (checker.isRequired(name, weight)) yield [name, weight];
  }
  if (hash.digest("hex") !== checkpoint.sha256) throw new WeightsError("Its SHA-256 is not the recorded one");
}

/** Reads the moments of a checkpoint. @throws {SafetensorsError} @throws {WeightsError} also after the last tensor */
async function* readMoments(
  store: ObjectStore,
  checkpoint: Checkpoint,
  freezeEncoder: boolean,
): AsyncGenerator<[string, HostTensor], void> {
  const hash = createHash("sha256");
  await using file = await openStoredTensors(store, checkpoint.stateKey!, (bytes) => hash.update(bytes));
  for (const { name, shape } of parameterSpecs(checkpoint.config, architectureOf(checkpoint))) {
    if (!isTrainable(name, freezeEncoder)) continue;
    for (const moment of ["exp_avg", "exp_avg_sq"] as const) {
      const key = momentKey(moment, name);
      if (String(file.tensors.get(key)?.shape) === String(shape)) continue;
      throw new WeightsError(`The optimiser's state has no '${key}' of shape [${shape}]`);
    }
  }
  for await (const [name, tensor] of file.read()) {
    const index = findNonFinite(tensor);
    if (index >= 0) throw new WeightsError(`The tensor '${name}' must be finite: value ${index} is not`);
    yield [name, float32Tensor(name, tensor)];
  }
  // Rows of earlier versions have no digest of the state. Only its format and its values can then be checked.
  const { stateSha256 } = checkpoint;
  if (stateSha256 && hash.digest("hex") !== stateSha256) {
    throw new WeightsError("The SHA-256 of the optimiser's state is not the recorded one");
  }
}
