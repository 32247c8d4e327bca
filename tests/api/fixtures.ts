/**
 * An application on storage of its own, with a tiny model in it.
 *
 * @module
 */
import { createApp } from "../../api/app.ts";
import { WorkerInference } from "../../api/inference/client.ts";
import type { ApiLimits } from "../../api/limits.ts";
import { DatasetCatalogue } from "../../data/datasets/catalogue.ts";
import { openStore } from "../../data/objects/open.ts";
import type { ObjectStore } from "../../data/objects/store.ts";
import { saveCheckpoint } from "../../jobs/checkpoints.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import { JobQueue } from "../../jobs/queue.ts";
import { JobStore } from "../../jobs/store.ts";
import { type MaeConfig, PRESETS } from "../../model/config.ts";
import { initialWeights, type ModelShape, parameterSpecs } from "../../model/weights.ts";
import { request } from "../jobs/fixtures.ts";

/** A model of 28 x 28 pictures that computes at once. */
export const TINY: MaeConfig = {
  ...PRESETS.mnist,
  patchSize: 7,
  embedDim: 16,
  depth: 1,
  numHeads: 2,
  decoderEmbedDim: 8,
  decoderDepth: 1,
  decoderNumHeads: 2,
};

/** An application that tests send requests to. */
export class TestApi implements AsyncDisposable {
  readonly #app: ReturnType<typeof createApp>;
  readonly #inference: WorkerInference;
  /** Where uploads on their way are kept. */
  readonly tempDir: string;

  private constructor(
    readonly kv: Deno.Kv,
    readonly folder: string,
    limits: Partial<ApiLimits>,
    objects?: ObjectStore,
  ) {
    const storeUrl = `file:${folder}/objects`;
    this.tempDir = `${folder}/uploads`;
    this.jobs = new JobStore(kv);
    this.objects = objects ?? openStore(storeUrl);
    this.#inference = new WorkerInference(storeUrl, { backend: "cpu" });
    this.#app = createApp({
      jobs: this.jobs,
      objects: this.objects,
      datasets: new DatasetCatalogue(this.objects),
      inference: this.#inference,
      tempDir: this.tempDir,
      limits,
    });
  }

  readonly jobs: JobStore;
  readonly objects: ObjectStore;

  static async open(limits: Partial<ApiLimits> = {}, objects?: ObjectStore): Promise<TestApi> {
    const folder = await Deno.makeTempDir();
    await Deno.mkdir(`${folder}/uploads`);
    return new TestApi(await Deno.openKv(":memory:"), folder, limits, objects);
  }

  /** The handler, for a real server. */
  get fetch(): (request: Request) => Response | Promise<Response> {
    return (request) => this.#app.fetch(request);
  }

  /** Sends a request. */
  async send(path: string, init: RequestInit = {}): Promise<Response> {
    return await this.#app.request(path, init);
  }

  /** Posts JSON; text goes as it is. */
  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return this.send(path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  }

  /** A finished job with a stored, untrained model. */
  async model(model: "mae" | "classifier" = "mae"): Promise<Checkpoint> {
    const { job } = await this.jobs.create(request());
    const queue = new JobQueue(this.jobs, "test");
    const claim = (await queue.claim())!;
    const classNames = model === "mae" ? [] : ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"];
    const shape: ModelShape = model === "mae" ? { model } : { model, classes: classNames.length };
    const weights = initialWeights(parameterSpecs(TINY, shape), 3);
    const checkpoint = await saveCheckpoint(this.objects, {
      jobId: job.id,
      config: TINY,
      shape,
      classNames,
      state: {
        step: 5,
        epochLossSum: 1,
        weights,
        optimizer: { step: 5, expAvg: weights, expAvgSq: weights },
      },
      epoch: 0,
      final: true,
      metrics: { loss: 0.5 },
    });
    await queue.record(claim, { checkpoint });
    await queue.finish(claim, { type: "succeeded", result: { checkpoint: checkpoint.id } });
    return (await this.jobs.getCheckpoint(checkpoint.id))!;
  }

  /** Everything that a request could leave behind. */
  async traces(): Promise<string[]> {
    const traces: string[] = [];
    for await (const { key } of this.kv.list({ prefix: [] })) traces.push(`kv ${key.map(String).join("/")}`);
    for await (const { key } of this.objects.list("")) traces.push(`object ${key}`);
    for await (const { name } of Deno.readDir(this.tempDir)) traces.push(`upload ${name}`);
    return traces.sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#inference.close();
    this.kv.close();
    await Deno.remove(this.folder, { recursive: true });
  }
}
