/**
 * The masks of a request for reconstructions: drawn by a seed, or given.
 *
 * @module
 */
import { type MaeConfig, numKeep, numPatches, ratioThatKeeps } from "../../model/config.ts";
import type { MaskStrategy } from "../../model/maskStrategies.ts";
import { fieldProblem } from "../http/problem.ts";
import { MASK_SOURCES, type ReconstructionRequest } from "../schemas/reconstruction.ts";
import { checkMaskRatio } from "./maskRatio.ts";

/** The masks of the images of a request. */
export interface Masks {
  /** The field of the request that sets them. */
  readonly source: typeof MASK_SOURCES[number];
  /** Mask ratio from which the number of visible patches follows. */
  readonly maskRatio: number;
  /** The ratio to report: that of the request or the model, or the share of given masks. */
  readonly reportedRatio: number;
  readonly seed: number;
  readonly masking: MaskStrategy;
  /** Noise whose order gives the masks, `[count, N]`; absent for masks that are drawn. */
  readonly noise?: Float32Array;
}

/** Converts the list of an image. @param path names it @returns noise `[N]`, and the number of visible patches */
type Convert = (list: readonly number[], path: string) => { noise: number[]; keep: number };

/**
 * Returns the masks of a request.
 *
 * @param count number of images
 * @throws {ProblemError} 422 naming the list or the element that is wrong
 */
export function masksOf(config: MaeConfig, request: ReconstructionRequest, count: number): Masks {
  const { masking = config.masking, seed = 0 } = request;
  const [source] = MASK_SOURCES.filter((name) => request[name] !== undefined);
  if (source === undefined || source === "seed" || source === "noise") {
    const maskRatio = request.mask_ratio ?? config.maskRatio;
    checkMaskRatio(config, maskRatio);
    const drawn = { source: source ?? "seed", maskRatio, reportedRatio: maskRatio, seed, masking };
    if (source !== "noise") return drawn;
    const convert: Convert = (list, path) =>
      ofNoise(config, list, path, numKeep(numPatches(config), maskRatio));
    return { ...drawn, noise: givenMasks(request.noise!, "noise", count, convert).noise };
  }
  const patches = numPatches(config);
  const convert: Convert = source === "mask"
    ? (list, path) => ofMask(config, list, path)
    : (list, path) => ofIdsKeep(config, list, path);
  const { noise, keep } = givenMasks(request[source]!, source, count, convert);
  const maskRatio = ratioThatKeeps(patches, keep), reportedRatio = (patches - keep) / patches;
  return { source, maskRatio, reportedRatio, seed, masking, noise };
}

/**
 * Converts one list for all images, or a list for each image.
 *
 * @throws {ProblemError} 422 unless all images keep the same number of patches
 */
function givenMasks(
  value: readonly (number | readonly number[])[],
  field: string,
  count: number,
  convert: Convert,
): { noise: Float32Array; keep: number } {
  const isShared = typeof value[0] === "number";
  const mixed = value.findIndex((item) => (typeof item === "number") !== isShared);
  if (mixed !== -1) {
    throw fieldProblem(
      422,
      `${field}.${mixed}`,
      `must be ${isShared ? "a number" : "an array"} like ${field}.0`,
    );
  }
  if (!isShared && value.length !== count) {
    const lists = `${value.length} ${value.length === 1 ? "list was" : "lists were"} given`;
    throw fieldProblem(422, field, `must have a list for each of the ${count} images: ${lists}`);
  }
  const lists = isShared
    ? [convert(value as number[], field)]
    : (value as number[][]).map((list, image) => convert(list, `${field}.${image}`));
  const [{ keep }] = lists, other = lists.findIndex((list) => list.keep !== keep);
  if (other !== -1) {
    throw fieldProblem(
      422,
      `${field}.${other}`,
      `keeps ${
        lists[other].keep
      } patches, and ${field}.0 keeps ${keep}: all images must keep the same number`,
    );
  }
  const noise = new Float32Array(count * lists[0].noise.length);
  for (let image = 0; image < count; image++) {
    noise.set(lists[isShared ? 0 : image].noise, image * lists[0].noise.length);
  }
  return { noise, keep };
}

function checkLength(config: MaeConfig, list: readonly number[], path: string): void {
  const patches = numPatches(config);
  if (list.length === patches) return;
  throw fieldProblem(
    422,
    path,
    `must have ${patches} numbers, one for each patch: ${list.length} were given`,
  );
}

function checkKeep(config: MaeConfig, keep: number, path: string): void {
  const patches = numPatches(config);
  if (keep === 0) {
    throw fieldProblem(422, path, `keeps no patch of ${patches}: the encoder needs at least one`);
  }
  if (keep === patches) {
    throw fieldProblem(422, path, `masks no patch of ${patches}: the loss needs at least one`);
  }
}

/** Visible patches have 0 and masked patches 1, so the visible ones keep their order. */
function ofMask(config: MaeConfig, list: readonly number[], path: string): ReturnType<Convert> {
  checkLength(config, list, path);
  const keep = list.filter((value) => value === 0).length;
  checkKeep(config, keep, path);
  return { noise: [...list], keep };
}

/** The noise of a visible patch is its index in the list, so the encoder gets the patches in the order of the list. */
function ofIdsKeep(config: MaeConfig, list: readonly number[], path: string): ReturnType<Convert> {
  const patches = numPatches(config), noise = new Array<number>(patches).fill(patches);
  list.forEach((patch, index) => {
    if (patch >= patches) {
      throw fieldProblem(
        422,
        `${path}.${index}`,
        `must be from 0 to ${patches - 1}: current value is ${patch}`,
      );
    }
    if (noise[patch] < patches) {
      throw fieldProblem(422, `${path}.${index}`, `must not occur twice: current value is ${patch}`);
    }
    noise[patch] = index;
  });
  checkKeep(config, list.length, path);
  return { noise, keep: list.length };
}

/** The noise is replaced by its ranks, which are not negative. The sort is stable, in float32 as in Hugging Face. */
function ofNoise(
  config: MaeConfig,
  list: readonly number[],
  path: string,
  keep: number,
): ReturnType<Convert> {
  checkLength(config, list, path);
  const values = Float32Array.from(list), order = [...values.keys()];
  const infinite = values.findIndex((value) => !Number.isFinite(value));
  if (infinite !== -1) {
    throw fieldProblem(422, `${path}.${infinite}`, `must be a float32: current value is ${list[infinite]}`);
  }
  const noise = new Array<number>(values.length);
  order.sort((a, b) => values[a] - values[b]).forEach((patch, rank) => noise[patch] = rank);
  return { noise, keep };
}
