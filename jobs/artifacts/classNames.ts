/**
 * Class names of a checkpoint. The header of the safetensors file has them, and the row in the database has them if
 * they are short.
 *
 * @module
 */
import type { ObjectStore } from "../../data/objects/store.ts";
import { readStoredHeader } from "../../data/safetensors/storedHeader.ts";
import { WeightsError } from "../../model/checkWeights.ts";
import type { Checkpoint } from "../job.ts";
import { readOrFail } from "./readOrFail.ts";

/** Maximum length of the class names in a checkpoint's row, in characters of JSON. */
const MAX_ROW_NAMES = 2048;

/** Returns the class names, or null if they are too long for a row. */
export function namesForRow(names: readonly string[]): readonly string[] | null {
  return JSON.stringify(names).length <= MAX_ROW_NAMES ? names : null;
}

/** Returns the number of classes of a checkpoint; 0 for a masked autoencoder. */
export function classesOf({ classes, classNames }: Pick<Checkpoint, "classes" | "classNames">): number {
  return classes ?? classNames?.length ?? 0;
}

/**
 * Returns the class names of a checkpoint, from its row or from the header of its file.
 *
 * @throws {JobFailure} `checkpoint_unreadable` when the file is missing or its header cannot be read
 */
export async function classNamesOf(store: ObjectStore, checkpoint: Checkpoint): Promise<readonly string[]> {
  if (checkpoint.classNames !== null) return checkpoint.classNames;
  return await readOrFail(checkpoint, async () => {
    const { metadata } = await readStoredHeader(store, checkpoint.objectKey);
    return parseNames(metadata.class_names, classesOf(checkpoint));
  });
}

/** Returns the class names in a file's metadata. @throws {WeightsError} if there are not `classes` strings */
function parseNames(text: string | undefined, classes: number): readonly string[] {
  let names: unknown;
  try {
    names = JSON.parse(text ?? "");
  } catch {
    throw new WeightsError("Its metadata's class_names is not JSON");
  }
  if (
    !Array.isArray(names) || names.length !== classes || !names.every((name) => typeof name === "string")
  ) throw new WeightsError(`Its metadata's class_names must be ${classes} strings`);
  return names;
}
