/**
 * The environment, read once and checked: every setting with its default and what it must be.
 *
 * @module
 */
import { resolve } from "node:path";
import { z } from "zod";
import { SPLIT_BYTES } from "../data/datasets/memory.ts";
import { DATA_DIR } from "../jobs/tensorflow.ts";
import { BACKENDS } from "../model/backends/backend.ts";

/** How a process is set up. */
export interface Settings {
  /** Port of the API; 0 for any that is free. */
  readonly port: number;
  readonly host: string;
  /** Folder for everything that is kept on this machine. */
  readonly dataDir: string;
  /** Object storage: `file:…` or `s3://bucket/prefix`. */
  readonly storeUrl: string;
  /** Deno KV: a file, or the http(s) address of a `denokv` server. */
  readonly kv: string;
  /** Jobs that a runner runs at once. */
  readonly slots: number;
  readonly backend: string;
  /** Threads of a training; null for every core. */
  readonly threads: number | null;
  /** Bytes of models that the API keeps loaded. */
  readonly modelCacheBytes: number;
  /** Most bytes of a split in memory; `data/datasets/memory.ts` reads it too, in workers. */
  readonly maxDatasetBytes: number;
}

/** A setting that cannot be used; the message names the variable and what would be right. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

const whole = (least: number, most: number) =>
  z.string().regex(/^\d{1,15}$/).transform(Number).refine((value) => value >= least && value <= most);

const RULES = {
  UNMASK_PORT: [whole(0, 65_535), "a port, 0 to 65535"],
  UNMASK_HOST: [z.string().min(1), "a host name or an address, as 127.0.0.1"],
  UNMASK_DATA: [z.string().min(1), "a folder"],
  UNMASK_STORE: [z.string().regex(/^(file:|s3:\/\/)./), "file:PATH or s3://BUCKET/PREFIX"],
  UNMASK_KV: [z.string().min(1), "a file, or the http(s) address of a denokv server"],
  UNMASK_SLOTS: [whole(1, 64), "a number of jobs at once, 1 to 64"],
  UNMASK_BACKEND: [z.enum(["auto", ...BACKENDS]), `auto, ${BACKENDS.join(" or ")}`],
  UNMASK_THREADS: [
    z.union([z.literal("all").transform(() => null), whole(1, 256)]),
    "all, or a number, 1 to 256",
  ],
  UNMASK_MODEL_CACHE_BYTES: [whole(0, 2 ** 40), "a number of bytes"],
  UNMASK_MAX_DATASET_BYTES: [whole(1, 2 ** 49), "a number of bytes"],
} as const satisfies Record<string, readonly [z.ZodType, string]>;

/**
 * Reads the settings.
 *
 * @param env looks up an environment variable; an empty one counts as absent
 * @throws {SettingsError} naming the variable
 */
export function readSettings(env: (name: string) => string | undefined = Deno.env.get): Settings {
  const read = <N extends keyof typeof RULES>(name: N, fallback: string): z.output<typeof RULES[N][0]> => {
    const [schema, rule] = RULES[name];
    const result = schema.safeParse(env(name) || fallback);
    if (result.success) return result.data as z.output<typeof RULES[N][0]>;
    throw new SettingsError(`${name} must be ${rule}: current value is '${env(name)?.slice(0, 80)}'`);
  };
  const dataDir = resolve(read("UNMASK_DATA", DATA_DIR));
  return {
    port: read("UNMASK_PORT", "8000"),
    host: read("UNMASK_HOST", "127.0.0.1"),
    dataDir,
    storeUrl: read("UNMASK_STORE", `file:${dataDir}/objects`),
    kv: read("UNMASK_KV", `${dataDir}/kv.sqlite3`),
    slots: read("UNMASK_SLOTS", "1"),
    backend: read("UNMASK_BACKEND", "auto"),
    threads: read("UNMASK_THREADS", "all"),
    modelCacheBytes: read("UNMASK_MODEL_CACHE_BYTES", String(2 ** 30)),
    maxDatasetBytes: read("UNMASK_MAX_DATASET_BYTES", String(SPLIT_BYTES)),
  };
}
