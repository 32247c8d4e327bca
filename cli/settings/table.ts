/**
 * The table of settings: one entry for each environment variable.
 *
 * @module
 */
import type { z } from "zod";
import { DEFAULT_MAX_SPLIT_BYTES } from "../../data/datasets/memoryLimit.ts";
import { DEFAULT_MAX_FEATURE_BYTES } from "../../jobs/kinds/settings.ts";
import { MAX_TRAINING_BYTES } from "../../jobs/requests/memory.ts";
import { OUTAGE_LIMITS } from "../../jobs/runner/outageLimits.ts";
import { BACKEND_NAMES } from "../../model/backends/list.ts";
import { VECTOR_SETTINGS } from "../../model/backends/simd/vectorFlags.ts";
import {
  bytes,
  DATABASE,
  ENDPOINT,
  FETCH_HOSTS,
  HOST,
  HOST_NAMES,
  HOURS,
  HTTP_URLS,
  integer,
  OBJECT_STORE,
  oneOf,
  seconds,
  text,
  THREADS,
} from "./formats.ts";

/** An environment variable. */
export interface SettingEntry {
  /** Name of the property of `Settings` with its value. */
  readonly property: string;
  /** Parses the text of the variable. */
  readonly schema: z.ZodType<unknown, string>;
  /** Completes the sentence "NAME must be …". */
  readonly rule: string;
  /** Text used if the variable is missing; null for none. `$UNMASK_DATA` is replaced by the data folder. */
  readonly default: string | null;
  readonly description: string;
}

/** Every setting by the name of its variable. */
export const SETTINGS = {
  UNMASK_PORT: {
    property: "port",
    ...integer("a port", 0, 65_535),
    default: "8000",
    description: "Port of the API. 0 selects a free port.",
  },
  UNMASK_HOST: {
    property: "host",
    ...HOST,
    default: "127.0.0.1",
    description: "Address on which the API listens.",
  },
  UNMASK_HOSTS: {
    property: "hostNames",
    ...HOST_NAMES,
    default: null,
    description: "Accepted names in the Host header, in addition to loopback names.",
  },
  UNMASK_START_SECONDS: {
    property: "startMs",
    ...seconds(0, 86_400),
    default: "60",
    description: "Time for which a start waits for the database.",
  },
  UNMASK_STOP_SECONDS: {
    property: "stopMs",
    ...seconds(1, 3600),
    default: "8",
    description: "Time limit for stopping.",
  },
  UNMASK_DATA: {
    property: "dataDir",
    ...text("a folder"),
    default: ".unmask",
    description: "Folder for local data.",
  },
  UNMASK_KV: {
    property: "kv",
    ...DATABASE,
    default: "$UNMASK_DATA/kv.sqlite3",
    description: "Deno KV: a file, or the address of a denokv server.",
  },
  DENO_KV_ACCESS_TOKEN: {
    property: "kvAccessToken",
    ...text("a text"),
    default: null,
    description: "Access token of the denokv server. Deno's KV client reads the variable.",
  },
  UNMASK_STORE: {
    property: "storeUrl",
    ...OBJECT_STORE,
    default: "file:$UNMASK_DATA/objects",
    description: "Object storage.",
  },
  AWS_ACCESS_KEY_ID: {
    property: "awsAccessKeyId",
    ...text("a text"),
    default: null,
    description: "Access key of the S3 service.",
  },
  AWS_SECRET_ACCESS_KEY: {
    property: "awsSecretAccessKey",
    ...text("a text"),
    default: null,
    description: "Secret key of the S3 service.",
  },
  AWS_SESSION_TOKEN: {
    property: "awsSessionToken",
    ...text("a text"),
    default: null,
    description: "Session token of temporary S3 keys.",
  },
  AWS_REGION: {
    property: "awsRegion",
    ...text("a text"),
    default: null,
    description: "Region of the S3 service.",
  },
  AWS_DEFAULT_REGION: {
    property: "awsDefaultRegion",
    ...text("a text"),
    default: "us-east-1",
    description: "Region if AWS_REGION is not set.",
  },
  AWS_ENDPOINT_URL_S3: {
    property: "awsEndpointUrlS3",
    ...ENDPOINT,
    default: null,
    description: "Address of an S3 service other than Amazon's.",
  },
  AWS_ENDPOINT_URL: {
    property: "awsEndpointUrl",
    ...ENDPOINT,
    default: null,
    description: "Address of the S3 service if AWS_ENDPOINT_URL_S3 is not set.",
  },
  UNMASK_SLOTS: {
    property: "slots",
    ...integer("a number of jobs", 1, 64),
    default: "1",
    description: "Number of jobs that a runner runs at the same time.",
  },
  UNMASK_BACKEND: {
    property: "backend",
    ...oneOf(["auto", ...BACKEND_NAMES]),
    default: "auto",
    description: "Backend of training and inference.",
  },
  UNMASK_THREADS: {
    property: "threads",
    ...THREADS,
    default: "all",
    description: "Threads of a training step.",
  },
  UNMASK_VECTORS: {
    property: "vectors",
    ...oneOf(VECTOR_SETTINGS),
    default: "auto",
    description: "Bits of the vectors of the backend simd.",
  },
  UNMASK_TENSORFLOW: {
    property: "tensorflowDir",
    ...text("a folder"),
    default: "$UNMASK_DATA/tensorflow",
    description: "Folder of TensorFlow's native library.",
  },
  TFJS_NODE_CDN_STORAGE: {
    property: "tensorflowDownloadUrl",
    ...text("an address that ends with a slash"),
    default: null,
    description: "Server from which TensorFlow's native library is downloaded.",
  },
  UNMASK_MAX_TRAINING_BYTES: {
    property: "maxTrainingBytes",
    ...bytes(),
    default: String(MAX_TRAINING_BYTES),
    description: "Maximum memory of a training step.",
  },
  UNMASK_MAX_WEIGHTS_BYTES: {
    property: "maxWeightsBytes",
    ...bytes(),
    default: String(16 * 2 ** 30),
    description: "Maximum size of imported weights, all files together.",
  },
  UNMASK_FETCH_HOSTS: {
    property: "fetchHosts",
    ...FETCH_HOSTS,
    default: null,
    description: "Hosts from which weights may be imported by URL. None by default.",
  },
  UNMASK_MAX_DATASET_BYTES: {
    property: "maxDatasetBytes",
    ...bytes(),
    default: String(DEFAULT_MAX_SPLIT_BYTES),
    description: "Maximum memory for the decoded images of a split.",
  },
  UNMASK_MAX_FEATURE_BYTES: {
    property: "maxFeatureBytes",
    ...bytes(0),
    default: String(DEFAULT_MAX_FEATURE_BYTES),
    description:
      "Maximum memory for the features of a linear probe, which are computed in every epoch above it.",
  },
  UNMASK_MAX_CHECKPOINT_BYTES: {
    property: "maxCheckpointBytes",
    ...bytes(),
    default: String(2 ** 40),
    description: "Maximum estimated storage for the checkpoints of one job.",
  },
  UNMASK_SWEEP_SECONDS: {
    property: "sweepMs",
    ...seconds(1, 86_400),
    default: "120",
    description: "Interval at which leftovers of killed processes are removed.",
  },
  UNMASK_MODEL_CACHE_BYTES: {
    property: "modelCacheBytes",
    ...bytes(0, 2 ** 40),
    default: String(2 ** 30),
    description: "Maximum memory for models that the API keeps loaded.",
  },
  UNMASK_OUTAGE_WAIT_SECONDS: {
    property: "outageWaitMs",
    ...seconds(0, 604_800),
    default: String(OUTAGE_LIMITS.waitMs / 1000),
    description: "Time for which a run waits for object storage before its job returns to the queue.",
  },
  UNMASK_OUTAGE_LIMIT_HOURS: {
    property: "outageLimitMs",
    ...HOURS,
    default: String(OUTAGE_LIMITS.limitMs / 3_600_000),
    description: "Length of an outage of object storage after which interrupted jobs fail.",
  },
  UNMASK_MNIST_MIRRORS: {
    property: "mnistMirrors",
    ...HTTP_URLS,
    default: null,
    description: "Mirrors of MNIST, instead of the public ones.",
  },
  UNMASK_FASHION_MNIST_MIRRORS: {
    property: "fashionMnistMirrors",
    ...HTTP_URLS,
    default: null,
    description: "Mirrors of Fashion-MNIST, instead of the public ones.",
  },
} as const satisfies Readonly<Record<string, SettingEntry>>;

/** Name of a variable in the table. */
export type SettingName = keyof typeof SETTINGS;
type Table = typeof SETTINGS;
type ValueOf<N extends SettingName> =
  | z.output<Table[N]["schema"]>
  | (Table[N]["default"] extends null ? null : never);

/** The values of all settings by property. */
export type SettingValues = { readonly [N in SettingName as Table[N]["property"]]: ValueOf<N> };
