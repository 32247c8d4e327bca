/**
 * Rows of the table of bad input, and short ways to write them.
 *
 * @module
 */
import type { TestApi } from "../fixtures.ts";
import type { Bytes } from "../../setup/uploads.ts";

/** What is there before the bad input comes. */
export interface Present {
  readonly mae: string;
  readonly classifier: string;
  /** The job that made `mae`. */
  readonly job: string;
  /** A job without a checkpoint: one waits, one was cancelled. */
  readonly queued: string;
  readonly cancelled: string;
  /** Data sets: two classes, no labels and nothing held out, a single image. */
  readonly twoClasses: string;
  readonly unlabelled: string;
  readonly single: string;
  /** A checkpoint that was deleted with its job, and the job. */
  readonly deleted: string;
  readonly deletedJob: string;
}

/** A request that must be refused. */
export interface Row {
  /** Group of the list in the field notes, section 5.2. */
  readonly group: number;
  readonly what: string;
  readonly send: (api: TestApi, present: Present) => Promise<Response>;
  readonly status: number;
  /** The field that the problem names. */
  readonly path?: string;
  /** What its detail or a message says. */
  readonly says?: RegExp;
}

/** What is expected of a refusal beside its status. */
export type Expected = Pick<Row, "path" | "says">;

/** A pre-training job that is taken. */
export const PRETRAIN = { kind: "pretrain", dataset: "digits" };

/** A refused body of `POST /v1/jobs`. */
export function job(
  group: number,
  what: string,
  body: object | ((present: Present) => object),
  path: string,
  says?: RegExp,
  status = 422,
): Row {
  const send = (api: TestApi, present: Present) =>
    api.post("/v1/jobs", typeof body === "function" ? body(present) : body);
  return { group, what, send, status, path, says };
}

/** Refused values of one field of a pre-training job. */
export function values(group: number, path: string, list: readonly unknown[], says?: RegExp): Row[] {
  return list.map((value) => {
    const body = path.split(".").reduceRight<unknown>((inner, key) => ({ [key]: inner }), value) as object;
    return job(group, `${path} ${JSON.stringify(value)}`, { ...PRETRAIN, ...body }, path, says);
  });
}

/** A refused body of `POST /v1/jobs`, as bytes. */
export function raw(
  group: number,
  what: string,
  body: BodyInit,
  status: number,
  expected: Expected & { headers?: Record<string, string> } = {},
): Row {
  const { headers = { "content-type": "application/json" }, ...rest } = expected;
  return {
    group,
    what,
    send: (api) => api.send("/v1/jobs", { method: "POST", headers, body }),
    status,
    ...rest,
  };
}

/** A refused request without a body. */
export function get(group: number, what: string, path: string, status: number, expected: Expected = {}): Row {
  return { group, what, send: (api) => api.send(path), status, ...expected };
}

/** A refused upload. @param path the field it is refused for */
export function upload(
  group: number,
  what: string,
  files: Readonly<Record<string, Bytes>>,
  path: string,
  says?: RegExp,
  { fields = {}, filename = "file", status = 422 }: {
    fields?: Record<string, string>;
    filename?: string;
    status?: number;
  } = {},
): Row {
  return { group, what, send: (api) => api.upload(files, fields, filename), status, path, says };
}

/** A refused question to a model, `mae` unless the body says otherwise. */
export function ask(
  group: number,
  what: string,
  route: "reconstructions" | "classifications" | "embeddings",
  body: object | ((present: Present) => object),
  path: string,
  says?: RegExp,
  status = 422,
): Row {
  const send = (api: TestApi, present: Present) =>
    api.post(`/v1/${route}`, {
      checkpoint: present.mae,
      ...(typeof body === "function" ? body(present) : body),
    });
  return { group, what, send, status, path, says };
}

/** Bytes, one by one. */
export function bytes(...list: number[]): Bytes {
  return Uint8Array.from(list);
}
