/**
 * The inference worker: answers one question after the other with models from its cache.
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
import { classifyBatch, embedBatch, reconstruct } from "../../model/inference.ts";
import type { InferenceAnswer, InferenceRequest, InferenceSetup } from "./messages.ts";
import { ModelCache } from "./modelCache.ts";

// deno-lint-ignore no-explicit-any -- the worker's global scope has no type of its own in Deno's window library
const scope = self as any;
let models: ModelCache | undefined;
/** Why the backend can be used no longer: this worker ends, and the next question starts another. */
let broken: BackendError | undefined;
let last: Promise<unknown> = Promise.resolve();

async function setUp({ storage, compute, cacheBytes }: InferenceSetup): Promise<void> {
  await selectBackend(compute.backend, compute);
  models = new ModelCache(openStore(storage), cacheBytes);
}

async function compute(request: InferenceRequest): Promise<unknown> {
  const { operation, checkpoint, seed, maskRatio } = request;
  const weights = await models!.get(checkpoint);
  const pixels = Float32Array.from(request.pixels, (value) => value / 255);
  switch (operation) {
    case "reconstruct": {
      const result = await reconstruct(weights, checkpoint.config, pixels, {
        seed,
        maskRatio: maskRatio ?? checkpoint.config.maskRatio,
      });
      // The square of a finite value can overflow, so the losses are checked as well.
      for (const values of [result.pred, result.losses]) checkFinite(checkpoint, values, result.images);
      return result;
    }
    case "classify": {
      const { probabilities, images } = await classifyBatch(weights, checkpoint.config, pixels);
      checkFinite(checkpoint, probabilities, images);
      return probabilities;
    }
    case "embed": {
      const features = await embedBatch(weights, checkpoint.config, pixels);
      checkFinite(checkpoint, features, features.length / checkpoint.config.embedDim);
      return features;
    }
  }
}

/** @throws {JobFailure} `not_finite` naming the first image whose output has a number that is not finite */
function checkFinite(checkpoint: Checkpoint, values: Float32Array, pictures: number): void {
  const at = values.findIndex((value) => !Number.isFinite(value));
  if (at === -1) return;
  const picture = Math.floor(at / (values.length / pictures));
  throw notFinite(`Checkpoint ${checkpoint.id} gives ${values[at]} for image ${picture}`);
}

async function answer(request: InferenceRequest): Promise<InferenceAnswer> {
  try {
    return { id: request.id, value: await compute(request) };
  } catch (error) {
    const code = error instanceof JobFailure
      ? error.code
      : error instanceof StorageUnavailableError
      ? "storage_unavailable"
      : "inference_failed";
    if (code === "inference_failed") console.error("Inference failed:", error);
    if (error instanceof BackendError) broken = error;
    return {
      id: request.id,
      error: { code, message: error instanceof Error ? error.message : String(error) },
    };
  }
}

scope.onmessage = ({ data }: MessageEvent<InferenceSetup | InferenceRequest>) => {
  last = last.then(async () => {
    if ("storage" in data) await setUp(data);
    else scope.postMessage(await answer(data));
    if (broken) throw broken;
  });
};
