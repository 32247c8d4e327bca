/**
 * The environment, read once and checked: every setting with its default and what it must be.
 *
 * @module
 */
import type { DatasetSettings } from "../data/datasets/settings.ts";
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { z } from "zod";
import { DEFAULT_MAX_SPLIT_BYTES } from "../data/datasets/memoryLimit.ts";
import { isRemoteKv } from "../jobs/store/kv/open.ts";
import { MAX_TRAINING_BYTES } from "../jobs/requests/memory.ts";
import type { ComputeSettings } from "../jobs/kinds/settings.ts";
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
  readonly compute: ComputeSettings;
  /** How long a run waits for object storage before its job is handed back to the queue, in milliseconds. */
  readonly outageWaitMs: number;
  /** Length of an outage of object storage after which interrupted jobs fail, in milliseconds. */
  readonly outageLimitMs: number;
  /** Bytes of models that the API keeps loaded. */
  readonly modelCacheBytes: number;
  readonly datasets: DatasetSettings;
  /** Names that are accepted in the Host header, in addition to loopback names. */
  readonly hosts: "any" | readonly string[];
  /** How long a start waits for the database, in milliseconds. */
  readonly startMs: number;
  /** Time limit for stopping, in milliseconds. */
  readonly stopMs: number;
  /** Most bytes that the checkpoints of one job may take in object storage. */
  readonly maxCheckpointBytes: number;
  /** Seconds between two sweeps, which remove what killed processes left behind. */
  readonly sweepSeconds: number;
  /** Maximum estimated bytes of a training step. */
  readonly maxTrainingBytes: number;
}

/** A setting that cannot be used; the message names the variable and what would be right. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

const whole = (least: number, most: number) =>
  z.string().regex(/^\d{1,15}$/).transform(Number).refine((value) => value >= least && value <= most);

const isHostName = (name: string) =>
  /^[a-z0-9._-]{1,253}$/.test(name) || URL.canParse(`http://${name}/`) && /^\[[0-9a-f:.]+\]$/.test(name);

const mirrors = z.string().transform((list) => list.split(",").map((item) => item.trim()))
  .refine((urls) => urls.every((url) => /^https?:$/.test(URL.parse(url)?.protocol ?? "")));

const hours = z.string().regex(/^\d{1,4}(\.\d{1,6})?$/).transform(Number)
  .refine((value) => value > 0 && value <= 8760);

const RULES = {
  UNMASK_PORT: [whole(0, 65_535), "a port, 0 to 65535"],
  UNMASK_HOST: [z.string().regex(/^[A-Za-z0-9._:-]{1,253}$/), "a host name or an address, such as 127.0.0.1"],
  UNMASK_HOSTS: [
    z.string().transform((list) => list.split(",").map((name) => name.trim().toLowerCase()).filter(Boolean))
      .refine((names) => names.length > 0 && names.every((name) => name === "*" || isHostName(name))),
    "host names without ports, separated by commas, or * for any",
  ],
  UNMASK_START_SECONDS: [whole(0, 86_400), "a number of seconds, 0 to 86400"],
  UNMASK_STOP_SECONDS: [whole(1, 3600), "a number of seconds, 1 to 3600"],
  UNMASK_MAX_TRAINING_BYTES: [whole(1, 2 ** 49), "a number of bytes"],
  UNMASK_TENSORFLOW: [z.string().min(1), "a folder"],
  UNMASK_MNIST_MIRRORS: [mirrors, "http(s) addresses, separated by commas"],
  UNMASK_FASHION_MNIST_MIRRORS: [mirrors, "http(s) addresses, separated by commas"],
  UNMASK_DATA: [z.string().min(1), "a folder"],
  UNMASK_STORE: [z.string().regex(/^(file:|s3:\/\/)./), "file:PATH or s3://BUCKET/PREFIX"],
  UNMASK_KV: [
    z.string().min(1).refine((value) =>
      !/^[a-z][a-z0-9+.-]*:/i.test(value) || /^https?:/i.test(URL.parse(value)?.protocol ?? "")
    ),
    "a file, or the http(s) address of a denokv server",
  ],
  UNMASK_SLOTS: [whole(1, 64), "a number of jobs at once, 1 to 64"],
  UNMASK_BACKEND: [z.enum(["auto", ...BACKENDS]), `one of auto, ${BACKENDS.join(", ")}`],
  UNMASK_THREADS: [
    z.union([z.literal("all").transform(() => navigator.hardwareConcurrency), whole(1, 256)]),
    "all, or a number, 1 to 256",
  ],
  UNMASK_OUTAGE_WAIT_SECONDS: [whole(0, 604_800), "a number of seconds, 0 to 604800"],
  UNMASK_OUTAGE_LIMIT_HOURS: [hours, "a number of hours above 0, at most 8760, such as 24 or 0.5"],
  UNMASK_MODEL_CACHE_BYTES: [whole(0, 2 ** 40), "a number of bytes"],
  UNMASK_MAX_DATASET_BYTES: [whole(1, 2 ** 49), "a number of bytes"],
  UNMASK_MAX_CHECKPOINT_BYTES: [whole(1, 2 ** 49), "a number of bytes"],
  UNMASK_SWEEP_SECONDS: [whole(1, 86_400), "a number of seconds, 1 to 86400"],
} as const satisfies Record<string, readonly [z.ZodType, string]>;

/** Name of a setting. */
export type SettingName = keyof typeof RULES;

/**
 * Reads the settings.
 *
 * @param env looks up an environment variable; an empty one counts as absent
 * @throws {SettingsError} naming the variable
 */
export function readSettings(env: (name: string) => string | undefined): Settings {
  const read = <N extends keyof typeof RULES>(name: N, fallback: string): z.output<typeof RULES[N][0]> => {
    const [schema, rule] = RULES[name];
    const result = schema.safeParse(env(name) || fallback);
    if (result.success) return result.data as z.output<typeof RULES[N][0]>;
    throw new SettingsError(`${name} must be ${rule}: current value is '${env(name)?.slice(0, 80)}'`);
  };
  const host = read("UNMASK_HOST", "127.0.0.1");
  if (isRemoteKv(env("UNMASK_KV")) && !env("DENO_KV_ACCESS_TOKEN")) {
    throw new SettingsError("DENO_KV_ACCESS_TOKEN must be set: UNMASK_KV is the address of a server");
  }
  const dataDir = resolve(read("UNMASK_DATA", ".unmask"));
  return {
    port: read("UNMASK_PORT", "8000"),
    host,
    dataDir,
    storeUrl: read("UNMASK_STORE", `file:${dataDir}/objects`),
    kv: read("UNMASK_KV", `${dataDir}/kv.sqlite3`),
    slots: read("UNMASK_SLOTS", "1"),
    compute: {
      backend: read("UNMASK_BACKEND", "auto"),
      threads: read("UNMASK_THREADS", "all"),
      tensorflow: pathToFileURL(resolve(read("UNMASK_TENSORFLOW", `${dataDir}/tensorflow`))).href,
    },
    outageWaitMs: 1000 * read("UNMASK_OUTAGE_WAIT_SECONDS", "600"),
    outageLimitMs: 3_600_000 * read("UNMASK_OUTAGE_LIMIT_HOURS", "24"),
    modelCacheBytes: read("UNMASK_MODEL_CACHE_BYTES", String(2 ** 30)),
    datasets: {
      maxSplitBytes: read("UNMASK_MAX_DATASET_BYTES", String(DEFAULT_MAX_SPLIT_BYTES)),
      downloadsDir: resolve(dataDir, "downloads"),
      mirrors: {
        ...env("UNMASK_MNIST_MIRRORS") && { mnist: read("UNMASK_MNIST_MIRRORS", "") },
        ...env("UNMASK_FASHION_MNIST_MIRRORS") &&
          { "fashion-mnist": read("UNMASK_FASHION_MNIST_MIRRORS", "") },
      },
    },
    hosts: acceptedHosts(env("UNMASK_HOSTS") ? read("UNMASK_HOSTS", "") : null, host),
    startMs: read("UNMASK_START_SECONDS", "60") * 1000,
    stopMs: read("UNMASK_STOP_SECONDS", "8") * 1000,
    maxCheckpointBytes: read("UNMASK_MAX_CHECKPOINT_BYTES", String(2 ** 40)),
    maxTrainingBytes: read("UNMASK_MAX_TRAINING_BYTES", String(MAX_TRAINING_BYTES)),
    sweepSeconds: read("UNMASK_SWEEP_SECONDS", "120"),
  };
}

/** Variables that only tests and benchmarks read. */
const NO_SETTINGS: ReadonlySet<string> = new Set([
  "UNMASK_SHARED",
  "UNMASK_PYTHON",
  "UNMASK_VERSITYGW",
  "UNMASK_DENOKV",
]);

/**
 * Finds variables that begin with `UNMASK_` but are not settings, such as a misspelt `UNMASK_SLOT`.
 *
 * @param names of all environment variables
 */
export function unknownSettings(names: Iterable<string>): string[] {
  return [...names].filter((name) =>
    name.startsWith("UNMASK_") && !Object.hasOwn(RULES, name) && !NO_SETTINGS.has(name)
  ).sort();
}

/** The accepted Host names. Without a list: only loopback names when the API listens on loopback, else any name. */
function acceptedHosts(names: readonly string[] | null, host: string): Settings["hosts"] {
  const listensOnLoopback = host === "localhost" || host === "::1" || /^127(\.\d{1,3}){3}$/.test(host);
  if (names === null) return listensOnLoopback ? [] : "any";
  return names.includes("*") ? "any" : names;
}
