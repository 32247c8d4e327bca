/**
 * Opens object stores by URL.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { LocalStore } from "./local/localStore.ts";
import { OutageStore } from "./outageStore.ts";
import { S3Store } from "./s3/s3Store.ts";
import type { S3Access } from "./s3/settings.ts";
import { checkPrefix } from "./keys.ts";
import { redactUrl } from "../redactUrl.ts";
import { InvalidKeyError, type ObjectStore } from "./store.ts";

const URL_FORMS = "must be file:PATH or s3://BUCKET/PREFIX";

/** Location of an object store. Structured-clonable: workers receive it in a message. */
export interface ObjectStoreSettings {
  readonly url: string;
  /** Required for the URL of a bucket. */
  readonly s3?: S3Access;
}

/**
 * Opens the object store that a URL names: `file:PATH`, `file:///ABSOLUTE/PATH` (percent-encoded) or
 * `s3://BUCKET[/PREFIX]`. Nothing is read or written. Methods of the store throw `StorageUnavailableError` for temporary
 * failures, such as a server that does not respond or refuses access, or a full disk.
 *
 * @param options `mustExist`: a missing folder (such as an unmounted disk) is an outage, and it is not created
 * @throws {TypeError} for a URL of another form, and for a bucket without access keys
 * @example
 * ```ts
 * import { openStore } from "./open.ts";
 *
 * const store = openStore({ url: "file:/var/lib/unmask/objects" });
 * await store.put("greeting", new TextEncoder().encode("hello"));
 * const { body, size } = await store.get("greeting");
 * ```
 */
export function openStore(
  { url, s3 }: ObjectStoreSettings,
  options: { readonly mustExist?: boolean } = {},
): ObjectStore {
  if (url.startsWith("file:")) return new OutageStore(new LocalStore(folderOf(url), options));
  if (url.startsWith("s3:")) return new OutageStore(openS3(url, s3));
  throw new TypeError(`The object store ${URL_FORMS}: current value is '${redactUrl(url)}'`);
}

/** Creates the folder of a `file:` store if it does not exist. Does nothing for other stores. */
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
    throw new TypeError(`The object store's URL ${URL_FORMS}, not '${url}': ${(error as Error).message}`, {
      cause: error,
    });
  }
}

function openS3(url: string, access: S3Access | undefined): ObjectStore {
  const match = /^s3:\/\/([a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?:\/(.*))?$/.exec(url);
  if (!match) {
    const requirement =
      "s3:// must be followed by a bucket's name (3 to 63 of a-z, 0-9, '-' and '.') and, after '/', a prefix";
    throw new TypeError(`${requirement}: current value is '${redactUrl(url)}'`);
  }
  const [, bucket, path = ""] = match;
  const prefix = path.replace(/\/$/, "");
  try {
    checkPrefix(prefix);
  } catch (error) {
    if (!(error instanceof InvalidKeyError)) throw error;
    throw new TypeError(
      `The prefix in ${redactUrl(url)} must be segments of letters, digits and '-_.' between '/'`,
    );
  }
  if (!access) throw new TypeError(`The access keys for ${url} are missing`);
  const { endpoint = `https://s3.${access.region}.amazonaws.com`, ...keys } = access;
  return new S3Store({ bucket, prefix, endpoint, ...keys });
}
