/**
 * The inference process. It computes batches one after another, with models from its cache.
 *
 * @module
 */
import { openStore } from "../../data/objects/open.ts";
import { StorageUnavailableError } from "../../data/objects/store.ts";
import { JobFailure } from "../../jobs/failure.ts";
import { connectToParentProcess } from "../../jobs/process/entry.ts";
import { BackendError } from "../../model/backends/backend.ts";
import { selectBackend } from "../../model/backends/select.ts";
import { openPredictor } from "../../model/prediction/openPredictor.ts";
import { computeBatch } from "./computeBatch.ts";
import type { Batch, FromInference, InferenceSetup, ToInference } from "./messages.ts";
import { type Model, ModelCache } from "./modelCache.ts";

let models: Promise<ModelCache> | undefined;
let previous: Promise<unknown> = Promise.resolve();

async function configure({ storage, compute, cacheBytes }: InferenceSetup): Promise<ModelCache> {
  const { planner } = await selectBackend(compute.backend, compute), { threads } = compute;
  const open = (model: Model) => openPredictor({ ...model, threads }, planner);
  return new ModelCache(openStore(storage), open, cacheBytes);
}

async function respond(batch: Batch): Promise<FromInference> {
  try {
    const cache = await models!;
    return await computeBatch(await cache.get(batch.checkpoint), batch);
  } catch (error) {
    const code = error instanceof JobFailure
      ? error.code
      : error instanceof StorageUnavailableError
      ? "storage_unavailable"
      : "inference_failed";
    if (code === "inference_failed") console.error("Inference failed:", error);
    const message = error instanceof Error ? error.message : String(error);
    return { type: "failure", code, message, isFatal: error instanceof BackendError };
  }
}

const send = connectToParentProcess<ToInference, FromInference>((message) => {
  if (message.type === "setup") {
    models = configure(message);
    models.catch(() => {});
  } else {
    previous = previous.then(async () => send(await respond(message)));
  }
});
