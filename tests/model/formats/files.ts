/**
 * Weights files for the tests of formats.
 *
 * @module
 */
import { expect } from "expect";
import { existsSync } from "node:fs";
import { readSafetensors } from "../../../data/safetensors/safetensors.ts";
import { toFloat32 } from "../../../data/safetensors/toFloat32.ts";
import type {
  ExportRequest,
  ImportPlan,
  ImportRequest,
  WeightsFormat,
} from "../../../model/formats/format.ts";
import { POSITION_TABLES, tableShapes } from "../../../model/formats/naming.ts";
import { planExport } from "../../../model/formats/planExport.ts";
import { positionTables } from "../../../model/positions.ts";
import {
  type Architecture,
  type HostTensor,
  type HostWeights,
  initialWeights,
  parameterSpecs,
} from "../../../model/weights.ts";
import { completeConfig, type MaeConfig } from "../../../model/config.ts";
import { namedNormalization } from "../../../model/normalizations.ts";

const SHARED = Deno.env.get("UNMASK_SHARED") ?? "../shared";

/** Returns whether a folder of reference results exists. */
export function hasReference(name: string): boolean {
  return existsSync(`${SHARED}/reference/${name}/model.safetensors`);
}

/** A file in memory. */
export interface WeightsFile {
  readonly weights: HostWeights;
  readonly config: Record<string, unknown> | null;
  readonly metadata?: Record<string, string>;
  readonly preprocessor?: Record<string, unknown>;
}

/** Returns the request to import a file. */
export function requestOf({ weights, config, metadata = {}, preprocessor }: WeightsFile): ImportRequest {
  return {
    tensors: new Map([...weights].map(([name, { shape }]) => [name, { dtype: "F32", shape }])),
    config,
    metadata,
    preprocessor,
    read: (name) => Promise.resolve(weights.get(name)!),
  };
}

/** Returns the tensors that a plan makes of a file. */
export function converted(plan: ImportPlan, weights: HostWeights): Map<string, HostTensor> {
  return new Map(
    plan.tensors.map((
      { name, sources, convert },
    ) => [name, convert(sources.map((source) => weights.get(source)!))]),
  );
}

/** Reads a folder of `save_pretrained`. */
export async function readFolder(name: string): Promise<WeightsFile> {
  const folder = `${SHARED}/reference/${name}`;
  const { tensors, metadata } = readSafetensors(await Deno.readFile(`${folder}/model.safetensors`));
  return {
    weights: new Map(
      [...tensors].map(([name, tensor]) => [name, { shape: tensor.shape, data: toFloat32(tensor) }]),
    ),
    config: JSON.parse(await Deno.readTextFile(`${folder}/config.json`)),
    metadata,
  };
}

/** Returns the tensors that a model has in another format. Computed position tables are added to its weights. */
export function exported(request: ExportRequest, weights: HostWeights): Map<string, HostTensor> {
  const { config, architecture } = request;
  const all = new Map(weights);
  if (config.positions !== "stored") {
    const tables = positionTables(config);
    for (const { name, shape } of tableShapes(config, architecture)) {
      all.set(name, { shape, data: name === POSITION_TABLES.encoder ? tables.encoder : tables.decoder });
    }
  }
  return new Map(
    planExport(request).tensors.map(({ name, sources, convert }) => [
      name,
      convert(sources.map((source) => all.get(source)!)),
    ]),
  );
}

/** Returns the largest difference of any value. The tensors must have the same names and shapes. */
export function largestDifference(a: HostWeights, b: HostWeights): number {
  expect([...a.keys()].sort()).toEqual([...b.keys()].sort());
  let largest = 0;
  for (const [name, { shape, data }] of a) {
    const other = b.get(name)!;
    expect([name, ...shape]).toEqual([name, ...other.shape]);
    data.forEach((value, i) => largest = Math.max(largest, Math.abs(value - other.data[i])));
  }
  return largest;
}

/** A small model that every format can express. */
export const SMALL: MaeConfig = completeConfig({
  imageSize: 8,
  patchSize: 4,
  inChannels: 3,
  embedDim: 16,
  depth: 2,
  numHeads: 2,
  decoderEmbedDim: 8,
  decoderDepth: 1,
  decoderNumHeads: 4,
  clsToken: true,
  positions: "sincos_2d",
  layerNormEps: 1e-6,
  normalize: namedNormalization("imagenet", 3),
});

/** Returns a model with random weights in a format. */
export function fileIn(
  format: WeightsFormat,
  architecture: Architecture = { model: "mae" },
  config: MaeConfig = SMALL,
): WeightsFile {
  const request = { config, architecture, classNames: null, format };
  const weights = initialWeights(parameterSpecs(config, architecture), 1);
  const { configJson, preprocessorJson } = planExport(request);
  return {
    weights: exported(request, weights),
    config: configJson,
    preprocessor: preprocessorJson ?? undefined,
  };
}

/** Returns a file with other names. */
export function renamed(file: WeightsFile, newName: (name: string) => string): WeightsFile {
  return { ...file, weights: new Map([...file.weights].map(([name, tensor]) => [newName(name), tensor])) };
}
