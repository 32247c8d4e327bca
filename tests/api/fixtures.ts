/**
 * An application on temporary storage, with tiny models.
 *
 * @module
 */
import { expect } from "expect";
import { createApp } from "../../api/app.ts";
import type { LogEntry } from "../../api/http/context.ts";
import type { HostNames } from "../../api/http/host.ts";
import { ProcessInference } from "../../api/inference/client.ts";
import type { ApiLimits } from "../../api/http/limits.ts";
import { listen } from "../../api/server/listen.ts";
import { DatasetCatalogue } from "../../data/datasets/catalogue.ts";
import { type DatasetSettings, DEFAULT_DATASET_SETTINGS } from "../../data/datasets/settings.ts";
import { openStore } from "../../data/objects/open.ts";
import type { ObjectStore } from "../../data/objects/store.ts";
import type { RemoteSettings } from "../../data/remote/request.ts";
import { architectureOf } from "../../jobs/artifacts/readCheckpoint.ts";
import { newCheckpointId, saveCheckpoint } from "../../jobs/artifacts/writeCheckpoint.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import { DEFAULT_COMPUTE } from "../../jobs/kinds/settings.ts";
import type { Claim } from "../../jobs/store/queue/claim.ts";
import { JobQueue } from "../../jobs/store/queue/queue.ts";
import { JobStore } from "../../jobs/store/store.ts";
import { type MaeConfig } from "../../model/config.ts";
import { PRESETS } from "../../model/presets.ts";
import { type HostWeights, initialWeights, type ModelName, parameterSpecs } from "../../model/weights.ts";
import { claimed, request } from "../jobs/fixtures.ts";
import { expectDocumented, type OpenApiDocument } from "./documented.ts";
import type { Bytes } from "../../data/bytes.ts";

/** A tiny model of 28 x 28 images. */
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

/** The body of a problem response. */
export interface Problem {
  readonly status: number;
  readonly title: string;
  readonly detail: string;
  readonly request_id: string;
  readonly errors: readonly { readonly path: string; readonly message: string }[];
}

/** Expects a response to be a problem with a status. @returns its body */
export async function problemOf(response: Response, status: number): Promise<Problem> {
  const text = await response.text();
  expect({ status: response.status, text: text.slice(0, 500) }).toMatchObject({ status });
  expect(response.headers.get("content-type")).toBe("application/problem+json");
  const problem = JSON.parse(text);
  const title = expect.any(String), detail = expect.any(String);
  const request_id = response.headers.get("x-request-id");
  expect(problem).toMatchObject({ status, title, detail, request_id, errors: expect.any(Array) });
  expect(text.length).toBeLessThan(4000);
  return problem;
}

/** A file of a form. */
export interface NamedFile {
  readonly name: string;
  readonly content: Bytes | string;
}

/** A checkpoint of a job. */
export type JobCheckpoint = Checkpoint & { readonly jobId: string };

/** A model to store. */
export interface TestModel {
  /** @default {@linkcode TINY} */
  readonly config?: MaeConfig;
  /** @default "mae" */
  readonly model?: ModelName;
  /** Class names of a classifier. */
  readonly names?: readonly string[];
  /** @default random weights */
  readonly weights?: HostWeights;
  /** Changes the safetensors file. The stored digest matches the result. */
  readonly alter?: (file: Bytes) => Bytes;
}

/** Limits of the API, and settings of its data sets and downloads. */
export type TestLimits = Partial<ApiLimits> & {
  readonly datasets?: Partial<DatasetSettings>;
  readonly remote?: RemoteSettings;
  readonly stopping?: AbortSignal;
};

/** An application for tests. */
export class TestApi implements AsyncDisposable {
  readonly #app: ReturnType<typeof createApp>;
  static #document: Promise<OpenApiDocument> | undefined;
  /** Folder of uploads while they are received. */
  readonly tempDir: string;

  private constructor(
    readonly kv: Deno.Kv,
    readonly folder: string,
    { datasets, remote, stopping, ...limits }: TestLimits,
    objects?: ObjectStore,
    hosts?: HostNames,
    tempDir?: string,
  ) {
    const storage = { url: `file:${folder}/objects` };
    this.tempDir = tempDir ?? `${folder}/uploads`;
    this.jobs = new JobStore(kv);
    this.objects = objects ?? openStore(storage);
    this.inference = new ProcessInference(storage, { compute: { ...DEFAULT_COMPUTE, backend: "cpu" } });
    this.#app = createApp({
      jobs: this.jobs,
      objects: this.objects,
      datasets: new DatasetCatalogue(this.objects, {
        ...DEFAULT_DATASET_SETTINGS,
        downloadsDir: `${folder}/downloads`,
        ...datasets,
      }),
      inference: this.inference,
      tempDir: this.tempDir,
      remote,
      stopping,
      limits,
      hosts,
      log: (entry) => this.log.push(entry),
    });
  }

  /** The log entries of the application. */
  readonly log: LogEntry[] = [];

  readonly jobs: JobStore;
  readonly inference: ProcessInference;
  readonly objects: ObjectStore;

  static async open(
    limits: TestLimits = {},
    objects?: ObjectStore,
    hosts?: HostNames,
    wrapKv: (kv: Deno.Kv) => Deno.Kv = (kv) => kv,
    tempDir?: string,
  ): Promise<TestApi> {
    const folder = await Deno.makeTempDir();
    await Deno.mkdir(`${folder}/uploads`);
    return new TestApi(wrapKv(await Deno.openKv(":memory:")), folder, limits, objects, hosts, tempDir);
  }

  /** The handler, for a real server. */
  get fetch(): (request: Request) => Response | Promise<Response> {
    return (request) => this.#app.fetch(request);
  }

  /** The application on a separate port. */
  async listen(limits: Partial<ApiLimits> = {}): Promise<{ port: number } & AsyncDisposable> {
    const server = await listen(this.fetch, { port: 0, host: "127.0.0.1", limits });
    return { port: server.port, [Symbol.asyncDispose]: () => server.close(0) };
  }

  /** Sends a request, and expects the OpenAPI document to describe the response. */
  async send(path: string, init: RequestInit = {}): Promise<Response> {
    const response = await this.#app.request(path, init);
    const document = await (TestApi.#document ??= this.#fetchDocument());
    await expectDocumented(document, init.method ?? "GET", path, response);
    return response;
  }

  async #fetchDocument(): Promise<OpenApiDocument> {
    return await (await this.#app.request("/openapi.json")).json();
  }

  /** Posts JSON. A string is sent unchanged. */
  post(path: string, body: unknown, headers: Record<string, string> = {}): Promise<Response> {
    return this.send(path, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: typeof body === "string" ? body : JSON.stringify(body),
    });
  }

  /** Posts a form to `/v1/datasets`. */
  upload(
    files: Readonly<Record<string, Bytes>>,
    fields: Readonly<Record<string, string>> = {},
    filename = "file",
  ): Promise<Response> {
    const form = new FormData();
    for (const [field, value] of Object.entries(fields)) form.set(field, value);
    for (const [field, content] of Object.entries(files)) form.set(field, new File([content], filename));
    return this.send("/v1/datasets", { method: "POST", body: form });
  }

  /** Posts a form to `/v1/checkpoints`. Fields with a list have several files. */
  importWeights(
    files: Readonly<Record<string, NamedFile | readonly NamedFile[]>>,
    fields: Readonly<Record<string, string>> = {},
    headers: Readonly<Record<string, string>> = {},
  ): Promise<Response> {
    const form = new FormData();
    for (const [field, value] of Object.entries(fields)) form.set(field, value);
    for (const [field, list] of Object.entries(files)) {
      for (const { name, content } of [list].flat()) form.append(field, new File([content], name));
    }
    return this.send("/v1/checkpoints", { method: "POST", body: form, headers });
  }

  /** Creates a job through the API. @returns its id */
  async job(body: object = {}): Promise<string> {
    const response = await this.post("/v1/jobs", { kind: "pretrain", dataset: "digits", ...body });
    expect(response.status).toBe(201);
    return (await response.json()).id;
  }

  /** Creates a job, and a queue that claims it. No other job may be queued. */
  async running(): Promise<{ id: string; queue: JobQueue; claim: Claim }> {
    const id = await this.job();
    const queue = new JobQueue(this.jobs, "test");
    const claim = await claimed(queue);
    expect(claim.job.id).toBe(id);
    return { id, queue, claim };
  }

  /**
   * A finished job with a stored, untrained model.
   *
   * @param alter changes the safetensors file; the stored digest matches the result
   * @param names class names of a classifier
   */
  model(
    model: "mae" | "classifier" = "mae",
    alter?: (file: Bytes) => Bytes,
    names: readonly string[] = ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9"],
  ): Promise<JobCheckpoint> {
    return this.store({ model, names, alter });
  }

  /** A finished job with a stored model of any configuration; see {@linkcode TestModel}. */
  async store(
    { config = TINY, model = "mae", names = [], weights, alter }: TestModel,
  ): Promise<JobCheckpoint> {
    const { job } = await this.jobs.create(request());
    const queue = new JobQueue(this.jobs, "test");
    const claim = await claimed(queue);
    const classNames = model === "classifier" ? names : [];
    const architecture = architectureOf({ model, classes: classNames.length, classNames });
    const tensors = weights ?? initialWeights(parameterSpecs(config, architecture), 3);
    let checkpoint = await saveCheckpoint(this.objects, {
      id: newCheckpointId(),
      jobId: job.id,
      config,
      architecture,
      classNames,
      state: {
        step: 5,
        epochLossSum: 1,
        weights: tensors,
        optimizer: { step: 5, expAvg: tensors, expAvgSq: tensors },
      },
      epoch: 0,
      final: true,
      metrics: { loss: 0.5 },
    });
    if (alter) {
      const file = alter(await this.object(checkpoint.objectKey));
      await this.objects.put(checkpoint.objectKey, file);
      const sha256 = new Uint8Array(await crypto.subtle.digest("SHA-256", file)).toHex();
      checkpoint = { ...checkpoint, size: file.length, sha256 };
    }
    await claim.record({ checkpoint });
    await claim.finish({ type: "succeeded", result: { checkpoint: checkpoint.id } });
    return { ...(await this.jobs.getCheckpoint(checkpoint.id))!, jobId: job.id };
  }

  /** The bytes of a stored object. */
  async object(key: string): Promise<Bytes> {
    return new Uint8Array(await new Response((await this.objects.get(key)).body).arrayBuffer());
  }

  /** Lists the rows, objects and files that exist. */
  async traces(): Promise<string[]> {
    const traces: string[] = [];
    for await (const { key } of this.kv.list({ prefix: [] })) traces.push(`kv ${key.map(String).join("/")}`);
    for await (const { key } of this.objects.list("")) traces.push(`object ${key}`);
    for await (const { name } of Deno.readDir(this.tempDir)) traces.push(`upload ${name}`);
    return traces.sort();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.inference.close();
    this.kv.close();
    await Deno.remove(this.folder, { recursive: true });
  }
}
