/**
 * Downloads the files of a model.
 *
 * @module
 */
import { CONVERT_PICKLE, refuseOtherFormats } from "../safetensors/otherFormats.ts";
import { quote, SafetensorsError } from "../safetensors/error.ts";
import { readIndex } from "../safetensors/shardIndex.ts";
import { decodeJson, StrictJsonError } from "../strictJson.ts";
import { allowedHost, parseRemoteUrl } from "./allowedHosts.ts";
import { download, type DownloadOptions } from "./download.ts";
import { besides, displayUrl, fileName, INDEX_NAME, modelUrl } from "./modelUrl.ts";
import { RemoteError } from "./remoteError.ts";
import type { RemoteSettings } from "./request.ts";

/** A model in a local folder. */
export interface RemoteModel {
  /** One or several safetensors files. Their names are those of the addresses, and are not paths. */
  readonly files: readonly { readonly name: string; readonly path: string; readonly size: number }[];
  /** Text of the index of sharded weights; null without one. */
  readonly indexText: string | null;
  /** Text of `config.json` beside the weights; null without one. */
  readonly configText: string | null;
  /** Text of `preprocessor_config.json` beside the weights; null without one. */
  readonly preprocessorText: string | null;
  /** The address without its query. */
  readonly url: string;
}

/** Limits of a model. */
export interface ModelLimits {
  /** Maximum size of all files of weights together. */
  readonly weightsBytes: number;
  /** Maximum number of files of weights. */
  readonly weightsFiles: number;
  /** Maximum size of each JSON file. */
  readonly jsonBytes: number;
  /** Checks that there is space for a file. @throws to refuse it */
  checkSpace(bytes: number): Promise<void>;
}

/**
 * Downloads a model to an existing folder. JSON files are downloaded first, so that little is transferred for a wrong
 * address.
 *
 * @param text the address; see {@linkcode modelUrl}
 * @throws {RemoteError} completing the sentence "url …"
 */
export async function fetchModel(
  text: string,
  folder: string,
  limits: ModelLimits,
  settings: RemoteSettings,
  signal: AbortSignal,
): Promise<RemoteModel> {
  const requested = parseRemoteUrl(text);
  allowedHost(requested, settings.hosts);
  const { type, url } = modelUrl(requested), reader = new Reader(folder, limits, settings, signal);
  const indexUrl = type === "index" ? url : type === "folder" ? besides(url, INDEX_NAME) : null;
  const indexText = indexUrl && await reader.json(indexUrl, type === "folder");
  const weights = indexText === null
    ? [type === "folder" ? "model.safetensors" : fileName(url)]
    : await shardNames(indexText, limits.weightsFiles);
  const configText = await reader.json(besides(url, "config.json"), true);
  const preprocessorText = await reader.json(besides(url, "preprocessor_config.json"), true);
  const files = [];
  for (const name of weights) {
    try {
      files.push(await reader.weights(name, type === "file" ? url : besides(url, name)));
    } catch (error) {
      if (!(error instanceof RemoteError && error.reason === "missing")) throw error;
      throw missing(type, indexText !== null, name, error);
    }
  }
  return { files, indexText, configText, preprocessorText, url: displayUrl(requested) };
}

/** Returns the names of the files of an index in its order. @throws {RemoteError} */
async function shardNames(indexText: string, maxFiles: number): Promise<string[]> {
  try {
    const names = [...new Set((await readIndex(indexText)).values())];
    if (names.length <= maxFiles) return names;
    throw new RemoteError(
      "refused",
      `must have at most ${maxFiles} files of weights: the index names ${names.length}`,
    );
  } catch (error) {
    if (!(error instanceof SafetensorsError)) throw error;
    throw new RemoteError("refused", `cannot be imported. ${error.message}`, { cause: error });
  }
}

function missing(type: string, isShard: boolean, name: string, cause: RemoteError): RemoteError {
  if (isShard) {
    return new RemoteError("missing", `lacks the file ${quote(name)}, which the index names`, { cause });
  }
  if (type !== "folder") return new RemoteError("missing", cause.message, { cause });
  return new RemoteError(
    "missing",
    `has neither model.safetensors nor ${INDEX_NAME}. If it has pytorch_model.bin, that is a pickle. ${CONVERT_PICKLE}`,
    { cause },
  );
}

/** Downloads files to a folder under names of its own. */
class Reader {
  readonly #folder: string;
  readonly #limits: ModelLimits;
  readonly #settings: RemoteSettings;
  readonly #signal: AbortSignal;
  #bytesLeft: number;
  #count = 0;

  constructor(folder: string, limits: ModelLimits, settings: RemoteSettings, signal: AbortSignal) {
    this.#folder = folder;
    this.#limits = limits;
    this.#settings = settings;
    this.#signal = signal;
    this.#bytesLeft = limits.weightsBytes;
  }

  /**
   * Returns the text of a JSON file; null if it is optional and missing. Object storage responds with 403 for a missing
   * file, and for a file beside one whose address is signed.
   */
  async json(url: URL, isOptional: boolean): Promise<string | null> {
    const path = this.#nextPath(), limit = "the limit of a JSON file";
    try {
      await this.#download(url, path, { maxBytes: this.#limits.jsonBytes, limit });
    } catch (error) {
      const isMissing = error instanceof RemoteError && ["missing", "forbidden"].includes(error.reason);
      if (isOptional && isMissing) return null;
      throw error;
    }
    try {
      return decodeJson(await Deno.readFile(path));
    } catch (error) {
      if (!(error instanceof StrictJsonError)) throw error;
      throw new RemoteError("refused", `cannot be imported: '${fileName(url)}' ${error.message}`, {
        cause: error,
      });
    }
  }

  /** Downloads a file of weights. @param name by which the index refers to it */
  async weights(name: string, url: URL): Promise<RemoteModel["files"][number]> {
    const path = this.#nextPath();
    const size = await this.#download(url, path, {
      maxBytes: this.#bytesLeft,
      limit: "what is left of UNMASK_MAX_WEIGHTS_BYTES",
      checkSize: (bytes) => this.#limits.checkSpace(bytes),
      checkHead: (head) => {
        try {
          refuseOtherFormats(name, head);
        } catch (error) {
          if (!(error instanceof SafetensorsError)) throw error;
          throw new RemoteError("refused", `cannot be imported. ${error.message}`, { cause: error });
        }
      },
    });
    this.#bytesLeft -= size;
    return { name, path, size };
  }

  async #download(url: URL, path: string, options: DownloadOptions): Promise<number> {
    return await download(url, path, options, this.#settings, this.#signal);
  }

  #nextPath(): string {
    return `${this.#folder}/${this.#count++}`;
  }
}
