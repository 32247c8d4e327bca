/**
 * Models of other libraries with their outputs, which `make_library_models.py` makes, and our outputs for them.
 *
 * @module
 */
import { readSafetensors } from "../../data/safetensors/safetensors.ts";
import { toFloat32 } from "../../data/safetensors/toFloat32.ts";
import type { ImportPlan } from "../../model/formats/format.ts";
import { maskBatch } from "../../model/mae.ts";
import { openPredictor } from "../../model/prediction/openPredictor.ts";
import type { PredictionPlanner } from "../../model/prediction/predictor.ts";
import type { HostTensor, HostWeights } from "../../model/weights.ts";
import { converted, type WeightsFile } from "../model/formats/files.ts";

/** A model, its inputs, and the outputs of its library. */
export interface LibraryModel extends WeightsFile {
  /** `[batch, height, width, channels]` in [0, 1]. */
  readonly pixels: Float32Array;
  /** `[batch, N]`. */
  readonly noise: Float32Array;
  /** `logits` of an MAE or a classifier; `cls` and `mean` of an encoder's tokens. */
  readonly outputs: HostWeights;
}

/** Reads a model of a library. */
export async function readLibraryModel(file: URL): Promise<LibraryModel> {
  const { tensors, metadata } = readSafetensors(await Deno.readFile(file));
  const under = (prefix: string) =>
    new Map<string, HostTensor>(
      [...tensors].filter(([name]) => name.startsWith(prefix))
        .map((
          [name, tensor],
        ) => [name.slice(prefix.length), { shape: tensor.shape, data: toFloat32(tensor) }]),
    );
  const images = under("images").get("")!;
  return {
    weights: under("model."),
    config: metadata.config ? JSON.parse(metadata.config) : null,
    preprocessor: metadata.preprocessor ? JSON.parse(metadata.preprocessor) : undefined,
    pixels: channelsLast(images),
    noise: under("noise").get("")!.data,
    outputs: under("out."),
  };
}

/** Returns our outputs for an imported model, by the names of {@linkcode LibraryModel.outputs}. */
export async function ourOutputs(
  plan: ImportPlan,
  { weights, pixels, noise }: LibraryModel,
  planner: PredictionPlanner | undefined,
): Promise<Map<string, Float32Array>> {
  const { config, architecture } = plan;
  const predictor = await openPredictor({ config, weights: converted(plan, weights), threads: 1 }, planner);
  try {
    switch (architecture.model) {
      case "mae": {
        const batch = maskBatch(config, pixels, noise, config.maskRatio, { tables: predictor.tables });
        return new Map([["logits", await predictor.patches(batch)]]);
      }
      case "classifier":
        return new Map([["logits", await predictor.logits(pixels)]]);
      case "encoder": {
        const outputs = new Map([["mean", await predictor.features(pixels, "mean")]]);
        if (config.clsToken) outputs.set("cls", await predictor.features(pixels, "cls"));
        return outputs;
      }
    }
  } finally {
    await predictor.dispose();
  }
}

/** Returns images `[batch, channels, height, width]` with the channels last. */
function channelsLast({ shape, data }: HostTensor): Float32Array {
  const [batch, channels, height, width] = shape, pixels = height * width;
  const moved = new Float32Array(data.length);
  for (let b = 0; b < batch; b++) {
    for (let c = 0; c < channels; c++) {
      for (let p = 0; p < pixels; p++) {
        moved[(b * pixels + p) * channels + c] = data[(b * channels + c) * pixels + p];
      }
    }
  }
  return moved;
}
