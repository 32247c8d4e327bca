/**
 * The inference worker. It runs requests one after another, with models from its cache.
 *
 * @module
 */
import { openStore } from "../../data/objects/open.ts";
import { StorageUnavailableError } from "../../data/objects/store.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import { notFinite } from "../../jobs/kinds/finite.ts";
import { JobFailure } from "../../jobs/failure.ts";
import { BackendError } from "../../model/backends/backend.ts";
import { selectBackend } from "../../model/backends/select.ts";
import { classifyBatch, reconstruct } from "../../model/prediction/inference.ts";
import { openPredictor } from "../../model/prediction/openPredictor.ts";
import type { WorkerRequest, WorkerResponse, WorkerSetup } from "./messages.ts";
import { type Model, ModelCache } from "./modelCache.ts";

// deno-lint-ignore no-explicit-any -- Deno's window library has no type for the global scope of a worker
const scope = self as any;
let models: ModelCache | undefined;
/** The failure of the backend. The worker then ends, and the next request starts a new one. */
let backendFailure: BackendError | undefined;
let previous: Promise<unknown> = Promise.resolve();

async function configure({ storage, compute, cacheBytes }: WorkerSetup): Promise<void> {
  const { planner } = await selectBackend(compute.backend, compute), { threads } = compute;
  const open = (model: Model) => openPredictor({ ...model, threads }, planner);
  models = new ModelCache(openStore(storage), open, cacheBytes);
}

async function compute(request: WorkerRequest): Promise<unknown> {
  const { operation, checkpoint, seed, maskRatio } = request;
  const predictor = await models!.get(checkpoint);
  const pixels = Float32Array.from(request.pixels, (value) => value / 255);
  switch (operation) {
    case "reconstruct": {
      const result = await reconstruct(predictor, pixels, {
        seed,
        maskRatio: maskRatio ?? checkpoint.config.maskRatio,
      });
      // The square of a finite value can overflow, so the losses are checked as well.
      for (const values of [result.pred, result.losses]) checkFinite(checkpoint, values, result.images);
      return result;
    }
    case "classify": {
      const { probabilities, images } = await classifyBatch(predictor, pixels);
      checkFinite(checkpoint, probabilities, images);
      return probabilities;
    }
    case "embed": {
      const features = await predictor.features(pixels);
      checkFinite(checkpoint, features, features.length / checkpoint.config.embedDim);
      return features;
    }
  }
}

/** @throws {JobFailure} `not_finite` naming the first image whose output has a number that is not finite */
function checkFinite(checkpoint: Checkpoint, values: Float32Array, count: number): void {
  const index = values.findIndex((value) => !Number.isFinite(value));
  if (index === -1) return;
  const image = Math.floor(index / (values.length / count));
  throw notFinite(`Checkpoint ${checkpoint.id} computes ${values[index]} for image ${image}`);
}

async function respond(request: WorkerRequest): Promise<WorkerResponse> {
  try {
    return { id: request.id, value: await compute(request) };
  } catch (error) {
    const code = error instanceof JobFailure
      ? error.code
      : error instanceof StorageUnavailableError
      ? "storage_unavailable"
      : "inference_failed";
    if (code === "inference_failed") console.error("Inference failed:", error);
    if (error instanceof BackendError) backendFailure = error;
    return {
      id: request.id,
      error: { code, message: error instanceof Error ? error.message : String(error) },
    };
  }
}

scope.onmessage = ({ data }: MessageEvent<WorkerSetup | WorkerRequest>) => {
  previous = previous.then(async () => {
    if ("storage" in data) await configure(data);
    else scope.postMessage(await respond(data));
    if (backendFailure) throw backendFailure;
  });
};
