/**
 * The JSON body of a reconstruction.
 *
 * @module
 */
import { encodePng } from "../../data/images/encodePng.ts";
import type { FigureImage } from "../../data/images/figure.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import { type MaeConfig, numKeep, numPatches } from "../../model/config.ts";
import type { AppliedPreprocessing } from "../requests/inferenceImages.ts";
import type { Masks } from "../requests/masks.ts";
import type { ReconstructionRequest, ReconstructionWire } from "../schemas/reconstruction.ts";
import type { Reconstruction } from "./inference.ts";
import type { ReconstructionParts } from "./reconstructionParts.ts";

/** A reconstruction and the request for it. */
export interface CompletedReconstruction {
  readonly checkpoint: Checkpoint;
  readonly request: ReconstructionRequest;
  readonly masks: Masks;
  readonly preprocessing: AppliedPreprocessing;
  readonly result: Reconstruction;
  readonly parts: ReconstructionParts;
}

/** Returns the body. */
export async function reconstructionBody(completed: CompletedReconstruction): Promise<ReconstructionWire> {
  const data: ReconstructionWire["data"] = [];
  for (let index = 0; index < completed.result.losses.length; index++) {
    data.push(await imageBody(completed, index));
  }
  return { ...withoutImages(completed), data };
}

/** Returns the body as JSON in UTF-8. Only the text of a few images is in memory at a time. */
export function reconstructionStream(
  completed: CompletedReconstruction,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  return ReadableStream.from(chunksOf(completed)).pipeThrough(new TextEncoderStream());
}

async function* chunksOf(completed: CompletedReconstruction): AsyncGenerator<string> {
  yield `${JSON.stringify(withoutImages(completed)).slice(0, -1)},"data":[`;
  for (let index = 0; index < completed.result.losses.length; index++) {
    yield `${index === 0 ? "" : ","}${JSON.stringify(await imageBody(completed, index))}`;
  }
  yield "]}";
}

/** Returns the fields of the body that are not those of an image. */
function withoutImages(completed: CompletedReconstruction): Omit<ReconstructionWire, "data"> {
  const { checkpoint: { id, config }, preprocessing, result } = completed;
  const { source, reportedRatio, masking, seed } = completed.masks;
  const isDrawn = source === "seed";
  return {
    object: "reconstruction",
    checkpoint: id,
    mask_source: source,
    mask_ratio: reportedRatio,
    masking: isDrawn ? masking : null,
    seed: isDrawn ? seed : null,
    norm_pix_loss: config.normPixLoss,
    loss: result.loss,
    ...preprocessing,
    notes: [...preprocessing.notes, ...notesOf(config)],
  };
}

/** Describes how the output of the model is converted to pixels. */
function notesOf({ normPixLoss, normalize }: MaeConfig): string[] {
  const notes: string[] = [];
  if (normPixLoss) {
    notes.push(
      "The model predicts patches that are normalised by their own mean and variance (norm_pix_loss). The mean and " +
        "variance of the original's patches convert them to pixels, also where they are masked.",
    );
  }
  if (normalize !== null) {
    const { mean, std } = normalize;
    notes.push(
      `Channels are normalised with mean ${mean.join(", ")} and deviation ${
        std.join(", ")
      } (normalize). Images, ` +
        "patches and errors are converted back to [0, 1].",
    );
  }
  if (notes.length > 0) notes.push("pred and loss are in the normalised space, as the model computes them.");
  return notes;
}

/** Returns the wire form of one image's reconstruction. */
async function imageBody(
  { checkpoint: { config }, request: { columns, include }, masks, result, parts }: CompletedReconstruction,
  index: number,
): Promise<ReconstructionWire["data"][number]> {
  const patches = numPatches(config), includes = new Set<string>(include);
  /** The part of an array that belongs to this image. */
  const part = <A extends Float32Array | Int32Array>(values: A) => {
    const size = values.length / result.losses.length;
    return values.subarray(index * size, (index + 1) * size) as A;
  };
  const idsRestore = part(result.idsRestore);
  const idsKeep = new Array<number>(numKeep(patches, masks.maskRatio));
  idsRestore.forEach((rank, patch) => {
    if (rank < idsKeep.length) idsKeep[rank] = patch;
  });
  return {
    index,
    loss: result.losses[index],
    mask: [...part(result.mask)],
    ids_restore: [...idsRestore],
    ids_keep: idsKeep,
    ...(includes.has("images") && {
      images: Object.fromEntries(
        await Promise.all(
          columns.map(async (column, i) => [column, await pngBase64(parts.rows[index][i], config)]),
        ),
      ),
    }),
    ...(includes.has("patches") && { patches: rowsOf(part(parts.predicted), patches) }),
    ...(includes.has("pred") && { pred: rowsOf(part(result.pred), patches) }),
    ...(includes.has("errors") && { errors: [...part(parts.errors)] }),
    ...(includes.has("attention") && {
      attention: {
        mean: [...part(parts.meanAttention)],
        heads: rowsOf(part(result.attention), config.numHeads),
      },
    }),
  };
}

/** Divides an array into lists of equal length. */
function rowsOf(values: Float32Array, rows: number): number[][] {
  const length = values.length / rows;
  return Array.from({ length: rows }, (_, row) => [...values.subarray(row * length, (row + 1) * length)]);
}

async function pngBase64({ pixels, channels }: FigureImage, { imageSize }: MaeConfig): Promise<string> {
  return (await encodePng(pixels, imageSize, imageSize, channels)).toBase64();
}
