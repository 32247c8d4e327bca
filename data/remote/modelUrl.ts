/**
 * What the address of a model can name: a file of weights, the index of sharded weights, or a folder with them, such as
 * a repository of Hugging Face.
 *
 * @module
 */
import { CONVERT_PICKLE } from "../safetensors/otherFormats.ts";
import { SINGLE_LINE } from "../singleLineText.ts";
import { RemoteError } from "./remoteError.ts";

/** The place of a model. */
export interface ModelUrl {
  readonly type: "file" | "index" | "folder";
  /** The file or the index; that of a folder ends in a slash. */
  readonly url: URL;
}

/** Name of the index of sharded weights. */
export const INDEX_NAME = "model.safetensors.index.json";
/** Revision of a repository whose address has none. */
const DEFAULT_REVISION = "main";
const PICKLE = /\.(pth|pt|bin|ckpt|pkl|pickle)$/i;
const FORMS =
  "a .safetensors file, model.safetensors.index.json, a folder that ends in a slash, or a repository such as " +
  "https://HOST/ORGANISATION/NAME or https://HOST/ORGANISATION/NAME/tree/REVISION";

/** Interprets an address. @throws {RemoteError} for one that names no weights, and for a pickle */
export function modelUrl(url: URL): ModelUrl {
  const segments = url.pathname.split("/").filter(Boolean);
  const isView = isViewOf(segments);
  // A page of a repository shows a file or folder. The protocol has the content itself under `resolve`.
  if (isView) segments[2] = "resolve";
  const last = segments.at(-1) ?? "";
  if (PICKLE.test(last)) {
    throw new RemoteError(
      "refused",
      `must not name a pickle (.pth, .pt or .bin of PyTorch). ${CONVERT_PICKLE}`,
    );
  }
  if (/\.safetensors$/i.test(last)) return { type: "file", url: withPath(url, segments) };
  if (/\.safetensors\.index\.json$/i.test(last)) return { type: "index", url: withPath(url, segments) };
  if (isView) return { type: "folder", url: withPath(url, [...segments, ""]) };
  if (segments.length === 2) {
    return { type: "folder", url: withPath(url, [...segments, "resolve", DEFAULT_REVISION, ""]) };
  }
  if (url.pathname.endsWith("/")) return { type: "folder", url: withPath(url, [...segments, ""]) };
  throw new RemoteError("refused", `must name ${FORMS}`);
}

/** Whether the parts of a path are those of a page of a repository, `ORGANISATION/NAME/tree/REVISION/…`. */
function isViewOf(segments: readonly string[]): boolean {
  return ["tree", "blob", "resolve", "raw"].includes(segments[2]) && segments.length > 3;
}

/** Returns the name of the repository of an address, which is only displayed; null for another address. */
export function repositoryName(url: URL): string | null {
  const segments = url.pathname.split("/").filter(Boolean);
  const isRepository = isViewOf(segments) || segments.length === 2 && modelUrl(url).type === "folder";
  return isRepository ? displayed(segments[1]) : null;
}

/** Returns the address of a file in the folder of another one. Its query, which may be a signature, is not kept. */
export function besides(url: URL, name: string): URL {
  const file = new URL(encodeURIComponent(name), url);
  file.search = "";
  return file;
}

/** Returns the name of the file of an address, which is only displayed. */
export function fileName(url: URL): string {
  return displayed(url.pathname.split("/").at(-1) ?? "");
}

/** Decodes a part of a path, unless the result is not the name of a file. */
function displayed(segment: string): string {
  try {
    const name = decodeURIComponent(segment);
    return SINGLE_LINE.test(name) && !/[/\\]/.test(name) ? name.slice(0, 255) : segment.slice(0, 255);
  } catch {
    return segment.slice(0, 255);
  }
}

/** Returns an address for messages and records, without its query, which may be a signature. */
export function displayUrl({ origin, pathname }: URL): string {
  return origin + pathname;
}

function withPath(url: URL, segments: readonly string[]): URL {
  const changed = new URL(url);
  changed.pathname = `/${segments.join("/")}`;
  return changed;
}
