import { expect } from "expect";
import { adaptConfig, type ConfigChanges } from "../../../model/adapt/adaptConfig.ts";
import { adaptTables } from "../../../model/adapt/adaptTables.ts";
import { interpolateGrid } from "../../../model/adapt/bicubic.ts";
import { completeConfig, numTokens } from "../../../model/config.ts";
import { positionTables, tablesOf } from "../../../model/positions.ts";
import { uniform } from "../../../model/random.ts";
import { type Architecture, bufferTensors } from "../../../model/weights.ts";

const MAE: Architecture = { model: "mae" };
const SMALL = { imageSize: 16, patchSize: 4, embedDim: 8, decoderEmbedDim: 12 };

/** A source whose stored tables are random. */
function storedSource(clsToken: boolean, architecture: Architecture = MAE) {
  const config = completeConfig({ ...SMALL, clsToken, positions: "stored" });
  const table = (dim: number) => uniform({ seed: 1, purpose: `table ${dim}` }, numTokens(config) * dim);
  const tables = { encoder: table(config.embedDim), decoder: table(config.decoderEmbedDim) };
  return { config, architecture, weights: bufferTensors(config, architecture, tables), tables };
}

function adapt(source: ReturnType<typeof storedSource>, changes: ConfigChanges) {
  const to = { config: source.config, model: source.architecture.model };
  const { config, issues } = adaptConfig(to, "mae", changes);
  expect(issues).toEqual([]);
  return { config, tables: adaptTables(source, { config, architecture: MAE }) };
}

Deno.test("the tables of encoder and decoder are interpolated, and the class token's row is kept", () => {
  for (const clsToken of [false, true]) {
    const source = storedSource(clsToken);
    const { tables, config } = adapt(source, { imageSize: 28 });
    for (const [name, dim] of [["encoder", 8], ["decoder", 12]] as const) {
      const before = source.tables[name], after = tables[name], first = clsToken ? dim : 0;
      expect(after.length).toBe(numTokens(config) * dim);
      expect(after.subarray(0, first)).toEqual(before.subarray(0, first));
      expect(after.subarray(first)).toEqual(interpolateGrid(before.subarray(first), 4, 7, dim));
    }
  }
});

Deno.test("sines and cosines are interpolated too, as Meta's code does it", () => {
  const config = completeConfig({ ...SMALL, clsToken: true, positions: "sincos_2d" });
  const source = { config, architecture: MAE, weights: new Map() };
  const adapted = adaptConfig({ config, model: "mae" }, "mae", { imageSize: 32 }).config;
  const { encoder } = adaptTables(source, { config: adapted, architecture: MAE });
  const grid = positionTables(config).encoder.subarray(8);
  expect(encoder.subarray(8)).toEqual(interpolateGrid(grid, 4, 8, 8));
  expect(encoder.subarray(0, 8)).toEqual(new Float32Array(8));
});

Deno.test("at the same image size, the tables are those of the checkpoint", () => {
  const source = storedSource(true);
  expect(adapt(source, { inChannels: 3 }).tables).toEqual(source.tables);
});

Deno.test("a new decoder has sines and cosines", () => {
  const source = storedSource(true, { model: "encoder" });
  expect(tablesOf(source.config, source.weights).decoder.length).toBe(0);
  const { tables, config } = adapt(source, { decoderEmbedDim: 16, imageSize: 32 });
  expect(tables.decoder).toEqual(positionTables({ ...config, positions: "sincos_2d" }).decoder);
});
