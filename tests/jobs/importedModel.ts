/**
 * Imports untrained models into a store, with positions that no formula gives.
 *
 * @module
 */
import type { ObjectStore } from "../../data/objects/store.ts";
import { newCheckpointId, saveCheckpoint } from "../../jobs/artifacts/writeCheckpoint.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import type { JobRequest } from "../../jobs/requests/commonFields.ts";
import type { JobStore } from "../../jobs/store/store.ts";
import { adaptConfig } from "../../model/adapt/adaptConfig.ts";
import { type MaeConfig, numTokens } from "../../model/config.ts";
import { type PositionTables, positionTables } from "../../model/positions.ts";
import { uniform } from "../../model/random.ts";
import { type Architecture, bufferTensors, initialWeights, parameterSpecs } from "../../model/weights.ts";
import { request } from "./fixtures.ts";

/** Returns random position tables for the positions `stored`, else computed ones. */
export function tablesFor(config: MaeConfig): PositionTables {
  if (config.positions !== "stored") return positionTables(config);
  const table = (dim: number) => uniform({ seed: 7, purpose: `table ${dim}` }, numTokens(config) * dim);
  return { encoder: table(config.embedDim), decoder: table(config.decoderEmbedDim) };
}

/** Imports a model. @param classNames of a classifier */
export function importModel(
  jobs: JobStore,
  objects: ObjectStore,
  config: MaeConfig,
  architecture: Architecture,
  classNames: readonly string[] = [],
): Promise<Checkpoint> {
  const id = newCheckpointId(), weights = initialWeights(parameterSpecs(config, architecture), 9);
  const none = new Map();
  const buffers = config.positions === "stored" ? bufferTensors(config, architecture, tablesFor(config)) : [];
  return jobs.importCheckpoint(objects, {
    id,
    async write() {
      const row = await saveCheckpoint(objects, {
        id,
        jobId: "",
        config,
        architecture,
        classNames,
        state: {
          step: 0,
          epochLossSum: 0,
          weights: new Map([...buffers, ...weights]),
          optimizer: { step: 0, expAvg: none, expAvgSq: none },
        },
        epoch: 0,
        final: true,
        metrics: {},
      });
      await objects.delete(row.stateKey!);
      const origin = { format: "unmask", filename: "model.safetensors", url: null, missing: [], notes: [] };
      return { ...row, jobId: null, stateKey: null, stateSha256: null, origin };
    },
  });
}

/** Returns a request that starts from a checkpoint, resolved as the API does it. */
export function startRequest(source: Checkpoint, body: Record<string, unknown>): JobRequest {
  const { changes = {}, ...parsed } = request({ ...body, checkpoint: source.id });
  const { config, issues } = adaptConfig(source, parsed.kind === "pretrain" ? "mae" : "classifier", changes);
  if (issues.length > 0) throw new Error(`${issues[0].field} ${issues[0].message}`);
  return { ...parsed, model: config };
}
