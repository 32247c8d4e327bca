/**
 * The forward passes of a model.
 *
 * @module
 */
import { type Tensor, tensor2d } from "@tensorflow/tfjs-core";
import { classTokenFirst, orderFeeds } from "../../../classToken.ts";
import { classify, features, type Pool, unmaskedBatch } from "../../../classifier.ts";
import { imageDim, type MaeConfig, numPatches, numTokens, patchDim } from "../../../config.ts";
import { type EncoderInput, lastQkv } from "../../../encoder.ts";
import { classifierFlops, forwardFlops } from "../../../flops.ts";
import { predictPatches } from "../../../mae.ts";
import type { PositionTables } from "../../../positions.ts";
import type { Shape } from "../../../shape.ts";
import type { Weights } from "../../../transformer.ts";
import type { Graph } from "../plan/graph.ts";
import { recordForward } from "../plan/record.ts";

/** The model of a forward pass, without the values of its parameters. */
export interface PassModel {
  readonly config: MaeConfig;
  readonly tables: PositionTables;
  /** Shapes of the parameters by name. */
  readonly parameters: ReadonlyMap<string, Shape>;
}

/** A forward pass. */
export type Pass =
  | { readonly output: "features"; readonly pool: Pool }
  | { readonly output: "logits" | "logits of features" | "last qkv" }
  | {
    readonly output: "patches";
    /** Number of visible patches of an image. */
    readonly keep: number;
  };

/** Returns a text that is different for different passes. */
export function keyOf(pass: Pass): string {
  switch (pass.output) {
    case "patches":
      return `patches of ${pass.keep}`;
    case "features":
      return `features of ${pass.pool}`;
    default:
      return pass.output;
  }
}

/** Returns the floating-point operations of a pass over one image. */
export function flopsOf(config: MaeConfig, pass: Pass): number {
  // The head is small.
  if (pass.output === "logits of features") return 0;
  if (pass.output !== "patches") return classifierFlops(config);
  return forwardFlops({ ...config, maskRatio: 1 - pass.keep / numPatches(config) });
}

/**
 * Records a pass.
 *
 * @throws {PlanError} when an operation has no kernel
 */
export function recordPass(model: PassModel, pass: Pass, images: number): Graph {
  const { config, parameters } = model;
  switch (pass.output) {
    case "patches":
      return recordPatches(model, images, pass.keep);
    case "logits of features": {
      const { embedDim } = config, features = new Float32Array(images * embedDim);
      const compute = (
        weights: Weights,
      ) => [classify(weights, config, tensor2d(features, [images, embedDim]))];
      return recordForward(parameters, { features }, compute);
    }
    case "features":
      return recordUnmasked(
        model,
        images,
        (weights, input) => features(weights, config, input, { pool: pass.pool }),
      );
    case "logits":
      return recordUnmasked(
        model,
        images,
        (weights, input) => classify(weights, config, features(weights, config, input)),
      );
    case "last qkv":
      return recordUnmasked(model, images, (weights, input) => lastQkv(weights, config, input));
  }
}

/** Records a pass over images of which nothing is masked. */
function recordUnmasked(
  { config, tables, parameters }: PassModel,
  images: number,
  outputOf: (weights: Weights, input: EncoderInput) => Tensor,
): Graph {
  const input = unmaskedBatch(config, new Float32Array(images * imageDim(config)), { tables });
  return recordForward(
    parameters,
    { patches: input.patches, ...orderFeeds(input.order) },
    (weights) => [outputOf(weights, input)],
  );
}

function recordPatches({ config, tables, parameters }: PassModel, batch: number, keep: number): Graph {
  const order = config.clsToken ? classTokenFirst(batch, keep) : null;
  const encoded = order?.patches ?? keep, decoded = numTokens(config);
  const visible = new Float32Array(batch * keep * patchDim(config));
  const positions = new Float32Array(batch * encoded * config.embedDim);
  const restoreRows = new Int32Array(batch * decoded);
  const decoderOrder = {
    batch,
    patches: decoded,
    keep: encoded,
    restoreRows,
    // Only a backward pass reads these.
    keepRows: new Int32Array(0),
    mask: new Float32Array(0),
  };
  const input = { batch, patches: visible, positions, order, decoderOrder, decoderPositions: tables.decoder };
  return recordForward(
    parameters,
    { visible, positions, ...orderFeeds(order), restoreRows },
    (weights) => [predictPatches(weights, config, input).pred],
  );
}
