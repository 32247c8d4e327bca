/**
 * Chooses an object store by its URL.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { LocalStore } from "./local/localStore.ts";
import { OutageStore } from "./outageStore.ts";
import { S3Store } from "./s3/s3Store.ts";
import { checkPrefix } from "./keys.ts";
import { InvalidKeyError, type ObjectStore } from "./store.ts";

const FORMS = "must be file:PATH or s3://BUCKET/PREFIX";

/**
 * Opens the object store that a URL names: `file:PATH`, `file:///ABSOLUTE/PATH` (percent-encoded) or
 * `s3://BUCKET[/PREFIX]`. Nothing is read or written yet. Methods of the store throw `StorageUnavailableError` for
 * temporary failures, such as a server that does not answer or refuses, or a full disk.
 *
 * S3 takes its settings from the environment as AWS's own tools do: AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY,
 * AWS_SESSION_TOKEN, AWS_REGION (AWS_DEFAULT_REGION, else us-east-1), and AWS_ENDPOINT_URL_S3 or AWS_ENDPOINT_URL
 * for servers other than Amazon's.
 *
 * @param env looks up an environment variable
 * @param options `existing`: a missing folder (such as an unmounted disk) is an outage, and it is not created
 * @throws {TypeError} when the URL is of another form or a setting is missing or wrong; names which
 */
export function openStore(
  url: string,
  env: (name: string) => string | undefined = Deno.env.get,
  options: { readonly existing?: boolean } = {},
): ObjectStore {
  if (url.startsWith("file:")) return new OutageStore(new LocalStore(folderOf(url), options));
  if (url.startsWith("s3:")) return new OutageStore(openS3(url, env));
  throw new TypeError(`The object store ${FORMS}: current value is '${withoutSecrets(url)}'`);
}

/** Creates the folder of a `file:` store if it is missing. It does nothing for other stores. */
export async function prepareStore(url: string): Promise<void> {
  if (url.startsWith("file:")) await Deno.mkdir(folderOf(url), { recursive: true });
}

function folderOf(url: string): string {
  const path = url.slice("file:".length);
  if (path === "") {
    throw new TypeError("The object store's folder is missing: file: must be followed by a path");
  }
  if (!path.startsWith("//")) return path;
  try {
    return fileURLToPath(url);
  } catch (error) {
    throw new TypeError(`The object store's URL ${FORMS}, not '${url}': ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function openS3(url: string, env: (name: string) => string | undefined): ObjectStore {
  const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(url);
  if (!match) {
    const rule =
      "s3:// must be followed by a bucket's name (3 to 63 of a-z, 0-9, '-' and '.') and, after '/', a prefix";
    throw new TypeError(`${rule}: current value is '${withoutSecrets(url)}'`);
  }
  const [, bucket, path = ""] = match;
  const prefix = path.replace(/\/$/, "");
  try {
    checkPrefix(prefix);
  } catch (error) {
    if (!(error instanceof InvalidKeyError)) throw error;
    throw new TypeError(
      `The prefix in ${withoutSecrets(url)} must be segments of letters, digits and '-_.' between '/'`,
    );
  }
  const required = (name: string) => {
    const value = env(name);
    if (!value) throw new TypeError(`The environment variable ${name} must be set for ${url}`);
    return value;
  };
  const region = env("AWS_REGION") || env("AWS_DEFAULT_REGION") || "us-east-1";
  return new S3Store({
    bucket,
    prefix,
    region,
    endpoint: endpointOf(env, region),
    accessKeyId: required("AWS_ACCESS_KEY_ID"),
    secretAccessKey: required("AWS_SECRET_ACCESS_KEY"),
    sessionToken: env("AWS_SESSION_TOKEN") || undefined,
  });
}

function endpointOf(env: (name: string) => string | undefined, region: string): string {
  const name = ["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"].find((name) => env(name));
  if (!name) return `https://s3.${region}.amazonaws.com`;
  const value = env(name)!;
  const url = URL.parse(value);
  const plain = url && ["http:", "https:"].includes(url.protocol) &&
    !(url.username || url.password || url.search || url.hash);
  if (!plain) {
    throw new TypeError(
      `${name} must be an http or https URL without user, query or fragment: ` +
        `current value is '${withoutSecrets(value)}'`,
    );
  }
  return value;
}

/** A URL fit for an error message: what stands before an '@' may be a password. */
function withoutSecrets(url: string): string {
  return url.replace(/\/\/[^/]*@/, "//…@").slice(0, 200);
}
