/**
 * The settings of the service, validated once at process start.
 *
 * @module
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { type HostNames, isLoopback } from "../../api/http/host.ts";
import type { DatasetSettings } from "../../data/datasets/settings.ts";
import type { ObjectStoreSettings } from "../../data/objects/open.ts";
import type { S3Access } from "../../data/objects/s3/settings.ts";
import { redactUrl } from "../../data/redactUrl.ts";
import type { ComputeSettings } from "../../jobs/kinds/settings.ts";
import { isRemoteKv } from "../../jobs/store/kv/open.ts";
import { type SettingEntry, type SettingName, SETTINGS, type SettingValues } from "./table.ts";

/** The values of the table, and the settings of each room that are composed of them. */
export interface Settings extends SettingValues {
  readonly storage: ObjectStoreSettings;
  readonly datasets: DatasetSettings;
  readonly compute: ComputeSettings;
  /** Names that are accepted in the Host header, in addition to loopback names. */
  readonly hosts: HostNames;
}

/** An invalid setting. The message names the variable and what would be right. */
export class SettingsError extends Error {
  override readonly name = "SettingsError";
}

/**
 * Parses and validates the settings.
 *
 * @param env returns the value of an environment variable; an empty one counts as missing
 * @throws {SettingsError} naming the variable
 */
export function readSettings(env: (name: string) => string | undefined): Settings {
  const usesS3 = /^s3:/.test(env("UNMASK_STORE") ?? "");
  const dataDir = resolve(env("UNMASK_DATA") || SETTINGS.UNMASK_DATA.default);
  const entries = Object.entries(SETTINGS).map(([name, entry]: [string, SettingEntry]) => {
    // The variables of AWS may be meant for another program.
    const text = name.startsWith("AWS_") && !usesS3 ? undefined : env(name);
    return [entry.property, parse(name, entry, text || null, dataDir)];
  });
  const values: SettingValues = { ...Object.fromEntries(entries), dataDir };
  if (isRemoteKv(values.kv)) {
    required("DENO_KV_ACCESS_TOKEN", values.kvAccessToken, "UNMASK_KV is the address of a server");
  }
  const { storeUrl, backend, threads, vectors, maxTrainingBytes: maxBytes } = values;
  return {
    ...values,
    storage: usesS3 ? { url: storeUrl, s3: s3Access(values) } : { url: storeUrl },
    datasets: {
      maxSplitBytes: values.maxDatasetBytes,
      downloadsDir: resolve(dataDir, "downloads"),
      mirrors: {
        ...values.mnistMirrors && { mnist: values.mnistMirrors },
        ...values.fashionMnistMirrors && { "fashion-mnist": values.fashionMnistMirrors },
      },
    },
    compute: {
      backend,
      threads,
      maxBytes,
      tensorflow: pathToFileURL(resolve(values.tensorflowDir)).href,
      vectors,
      vectorsFile: resolve(dataDir, "vectors.json"),
    },
    hosts: acceptedHosts(values.hostNames, values.host),
  };
}

function parse(name: string, entry: SettingEntry, text: string | null, dataDir: string): unknown {
  const used = text ?? entry.default?.replace("$UNMASK_DATA", () => dataDir) ?? null;
  if (used === null) return null;
  const result = entry.schema.safeParse(used);
  if (result.success) return result.data;
  throw new SettingsError(
    `${name} must be ${entry.rule}: current value is '${redactUrl(used).slice(0, 80)}'`,
  );
}

function required(name: SettingName, value: string | null, reason: string): string {
  if (value !== null) return value;
  throw new SettingsError(`${name} must be set: ${reason}`);
}

function s3Access(values: SettingValues): S3Access {
  const reason = `UNMASK_STORE is ${redactUrl(values.storeUrl)}`;
  return {
    region: values.awsRegion ?? values.awsDefaultRegion,
    endpoint: values.awsEndpointUrlS3 ?? values.awsEndpointUrl ?? undefined,
    accessKeyId: required("AWS_ACCESS_KEY_ID", values.awsAccessKeyId, reason),
    secretAccessKey: required("AWS_SECRET_ACCESS_KEY", values.awsSecretAccessKey, reason),
    sessionToken: values.awsSessionToken ?? undefined,
  };
}

/** Without a list, an API on a loopback address accepts only loopback names, and any other API all names. */
function acceptedHosts(names: readonly string[] | null, host: string): HostNames {
  if (names === null) return isLoopback(host.includes(":") ? `[${host}]` : host) ? [] : "any";
  return names.includes("*") ? "any" : names;
}

/** Variables that only tests read. */
const TEST_VARIABLES: ReadonlySet<string> = new Set([
  "UNMASK_SHARED",
  "UNMASK_VERSITYGW",
  "UNMASK_DENOKV",
]);

/**
 * Returns the names that begin with `UNMASK_` but are not settings, such as a misspelt `UNMASK_SLOT`.
 *
 * @param names of all environment variables
 */
export function unknownSettings(names: Iterable<string>): string[] {
  return [...names].filter((name) =>
    name.startsWith("UNMASK_") && !Object.hasOwn(SETTINGS, name) && !TEST_VARIABLES.has(name)
  ).sort();
}

/** Returns a text with every setting, its description, and its default. */
export function describeSettings(): string {
  return Object.entries(SETTINGS).map(([name, { description, default: value }]) =>
    `  ${name}\n      ${description}${value === null ? "" : ` Default: ${value}`}`
  ).join("\n");
}
