/**
 * Confusion matrices. They are objects in storage, and the job's result has their address.
 *
 * @module
 */
import type { SplitName } from "../../data/datasets/dataset.ts";
import type { ObjectStore } from "../../data/objects/store.ts";
import { resultKey } from "./objectKeys.ts";

/** File name of a confusion matrix among the objects of a result. */
export const CONFUSION = "confusion.json";

/** Maximum number of classes whose confusion matrix is also in the result: 1,024 counts. */
export const MAX_INLINE_CLASSES = 32;
/** Maximum length of the class names that are also in the result, in characters of JSON. */
export const MAX_INLINE_NAMES = 2048;

/** Counts of images by actual and predicted class. */
export interface Confusion {
  readonly classes: number;
  /** `[actual, predicted]`, row-major. */
  readonly counts: Uint32Array;
}

/** The checkpoint and the data of a confusion matrix, stored with the counts. */
export interface ConfusionSource {
  readonly jobId: string;
  readonly checkpoint: string;
  readonly dataset: string;
  readonly split: SplitName;
  /** The classes in the order of the rows and columns. */
  readonly classNames: readonly string[];
}

/**
 * Stores a confusion matrix. With 4,096 classes it has 16.8 million counts, which take 34 MB when most are 0.
 *
 * @returns the fields of the job's result, see {@linkcode confusionSummary}
 */
export async function storeConfusion(
  store: ObjectStore,
  source: ConfusionSource,
  matrix: Confusion,
): Promise<Readonly<Record<string, unknown>>> {
  const { jobId: job, checkpoint, dataset, split, classNames } = source, { classes, counts } = matrix;
  const head = JSON.stringify({
    object: "confusion",
    job,
    checkpoint,
    dataset,
    split,
    class_names: classNames,
    confusion: [],
  });
  const encoder = new TextEncoder();
  const pieces = [encoder.encode(head.slice(0, -"]}".length))];
  for (let row = 0; row < classes; row++) {
    const values = counts.subarray(row * classes, (row + 1) * classes).join(",");
    pieces.push(encoder.encode(`${row > 0 ? "," : ""}[${values}]`));
  }
  pieces.push(encoder.encode("]}"));
  // Unlike a stream, bytes can be written again after an outage of the store.
  await store.put(resultKey(job, CONFUSION), await new Blob(pieces).bytes());
  return confusionSummary(job, classNames, matrix);
}

/**
 * Returns the fields of a result for a confusion matrix: its address, and the counts and names if they are small.
 * Larger ones do not fit in the job's row.
 */
export function confusionSummary(
  jobId: string,
  classNames: readonly string[],
  { classes, counts }: Confusion,
): Readonly<Record<string, unknown>> {
  const address = { classes, confusionUrl: `/v1/jobs/${jobId}/results/${CONFUSION}` };
  if (classes > MAX_INLINE_CLASSES) return address;
  const confusion = Array.from(
    { length: classes },
    (_, row) => Array.from(counts.subarray(row * classes, (row + 1) * classes)),
  );
  const names = JSON.stringify(classNames).length <= MAX_INLINE_NAMES ? { classNames: [...classNames] } : {};
  return { ...address, ...names, confusion };
}
