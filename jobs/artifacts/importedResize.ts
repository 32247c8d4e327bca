/**
 * How the files of an imported model make images square.
 *
 * @module
 */
import type { ResizeMode } from "../../data/images/preprocessing.ts";
import { isTimmConfig, timmPadding } from "../../model/formats/timmConfig.ts";

type Json = Readonly<Record<string, unknown>>;

/** How a library makes images square. */
export interface ImportedResize {
  /** Absent when the files do not contain it. */
  readonly mode?: ResizeMode;
  /** The colour of the bars of `pad`. */
  readonly background?: string;
  /** What the library does and we do not, a sentence each. */
  readonly notes: readonly string[];
}

/**
 * Returns the resizing of Hugging Face's `preprocessor_config.json` or of timm's `config.json`: `crop` if it cuts the
 * middle square, `squash` if it resizes both sides, `pad` if it adds borders.
 */
export function importedResize(preprocessor: Json | null, config: Json | null): ImportedResize {
  if (preprocessor !== null) return ofImageProcessor(preprocessor);
  return config !== null && isTimmConfig(config) ? ofTimm(config) : { notes: [] };
}

/** The filters of Pillow by their number. */
const PILLOW_FILTERS = ["nearest", "lanczos", "bilinear", "bicubic", "box", "hamming"];

function ofImageProcessor(
  { size, crop_size, do_center_crop: crops, do_resize: resizes, resample }: Json,
): ImportedResize {
  const isBoth = isObject(size) && "height" in size && "width" in size;
  const notes = resizes === false
    ? []
    : ofFilter(typeof resample === "number" ? PILLOW_FILTERS[resample] : undefined);
  if (crops === true) {
    return { mode: isBoth ? "squash" : "crop", notes: [...notes, ...zoom(sideOf(crop_size), sideOf(size))] };
  }
  if (resizes === false) return { notes };
  if (isBoth || typeof size === "number") return { mode: "squash", notes };
  return isObject(size) && "shortest_edge" in size ? { mode: "crop", notes } : { notes };
}

/** timm's names of the ways to make an image square (`timm/data/transforms_factory.py`). */
const CROP_MODES: Readonly<Record<string, ResizeMode>> = { center: "crop", squash: "squash", border: "pad" };

function ofTimm(config: Json): ImportedResize {
  const { crop_mode, crop_pct, interpolation, mean } = isObject(config.pretrained_cfg)
    ? config.pretrained_cfg
    : config;
  const mode = typeof crop_mode === "string" && Object.hasOwn(CROP_MODES, crop_mode)
    ? CROP_MODES[crop_mode]
    : undefined;
  const notes = [...ofFilter(interpolation), ...(typeof crop_pct === "number" ? zoom(crop_pct, 1) : [])];
  return {
    ...(mode ? { mode } : {}),
    ...(mode === "pad" && isColor(mean) ? { background: timmPadding(mean) } : {}),
    notes,
  };
}

function isColor(mean: unknown): mean is number[] {
  return Array.isArray(mean) && mean.length > 0 &&
    mean.every((value) => typeof value === "number" && value >= 0 && value <= 1);
}

/** Returns a note if a library resizes images to one side and uses the middle of a shorter side. */
function zoom(used: number | undefined, resized: number | undefined): string[] {
  if (used === undefined || resized === undefined || !(used < resized)) return [];
  const percent = Math.round(100 * used / resized);
  return [
    `The library uses the middle ${percent} % of a resized image, and we use all of it: crop images ` +
    "before they are sent for the same results",
  ];
}

/** Returns a note if a library resizes images with another filter. */
function ofFilter(name: unknown): string[] {
  if (typeof name !== "string" || !PILLOW_FILTERS.includes(name) || name === "bicubic") return [];
  return [
    `The library resizes images with the filter '${name}', and we resize them bicubically: send images of the ` +
    "model's size for the same results",
  ];
}

/** Returns the side of a square or of its shorter edge, in pixels. */
function sideOf(size: unknown): number | undefined {
  const side = isObject(size) ? size.shortest_edge ?? size.height : size;
  return typeof side === "number" ? side : undefined;
}

function isObject(value: unknown): value is Json {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
