/**
 * The rows of the tables of invalid input, and functions that create them.
 *
 * @module
 */
import type { TestApi } from "../fixtures.ts";
import type { Bytes } from "../../../data/bytes.ts";

/** Ids of the resources that exist before the invalid requests. */
export interface StoredIds {
  readonly mae: string;
  readonly classifier: string;
  /** The job of `mae`. */
  readonly job: string;
  /** Jobs without a checkpoint. */
  readonly queued: string;
  readonly cancelled: string;
  /** Data sets: with two classes, without labels and hold-out, and with a single image. */
  readonly twoClasses: string;
  readonly unlabelled: string;
  readonly single: string;
  /** A checkpoint that was deleted with its job, and the job. */
  readonly deleted: string;
  readonly deletedJob: string;
}

/** A request that must be rejected. */
export interface Row {
  /** Number of a group of similar rows. */
  readonly group: number;
  readonly title: string;
  readonly send: (api: TestApi, present: StoredIds) => Promise<Response>;
  readonly status: number;
  /** The field that the problem names. */
  readonly path?: string;
  /** Pattern of its detail or of a message. */
  readonly pattern?: RegExp;
}

/** Expectations in addition to the status. */
export type Expected = Pick<Row, "path" | "pattern">;

/** A valid pre-training job. */
export const PRETRAIN = { kind: "pretrain", dataset: "digits" };

/** Creates a row for an invalid body of `POST /v1/jobs`. */
export function job(
  group: number,
  title: string,
  body: object | ((present: StoredIds) => object),
  path: string,
  pattern?: RegExp,
  status = 422,
): Row {
  const send = (api: TestApi, present: StoredIds) =>
    api.post("/v1/jobs", typeof body === "function" ? body(present) : body);
  return { group, title, send, status, path, pattern };
}

/** Creates a row for each invalid value of a field of a pre-training job. */
export function values(group: number, path: string, list: readonly unknown[], pattern?: RegExp): Row[] {
  return list.map((value) => {
    const body = path.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as object;
    return job(group, `${path} ${JSON.stringify(value)}`, { ...PRETRAIN, ...body }, path, pattern);
  });
}

/** Creates a row for an invalid body of `POST /v1/jobs`, as text or bytes. */
export function raw(
  group: number,
  title: string,
  body: BodyInit,
  status: number,
  expected: Expected & { headers?: Record<string, string> } = {},
): Row {
  const { headers = { "content-type": "application/json" }, ...rest } = expected;
  return {
    group,
    title,
    send: (api) => api.send("/v1/jobs", { method: "POST", headers, body }),
    status,
    ...rest,
  };
}

/** Creates a row for an invalid GET request. */
export function get(
  group: number,
  title: string,
  path: string,
  status: number,
  expected: Expected = {},
): Row {
  return { group, title, send: (api) => api.send(path), status, ...expected };
}

/** Creates a row for an invalid upload. @param path the field that is rejected */
export function upload(
  group: number,
  title: string,
  files: Readonly<Record<string, Bytes>>,
  path: string,
  pattern?: RegExp,
  { fields = {}, filename = "file", status = 422 }: {
    fields?: Record<string, string>;
    filename?: string;
    status?: number;
  } = {},
): Row {
  return { group, title, send: (api) => api.upload(files, fields, filename), status, path, pattern };
}

/** Creates a row for an invalid inference request. The checkpoint is `mae` by default. */
export function inference(
  group: number,
  title: string,
  route: "reconstructions" | "classifications" | "embeddings",
  body: object | ((present: StoredIds) => object),
  path: string,
  pattern?: RegExp,
  status = 422,
): Row {
  const send = (api: TestApi, present: StoredIds) =>
    api.post(`/v1/${route}`, {
      checkpoint: present.mae,
      ...(typeof body === "function" ? body(present) : body),
    });
  return { group, title, send, status, path, pattern };
}

/** Creates bytes from numbers. */
export function bytes(...list: number[]): Bytes {
  return Uint8Array.from(list);
}
