/**
 * Exports checkpoints to the formats of other libraries, and with 16 bits per value.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { Bytes } from "../../data/bytes.ts";
import { DEFAULT_PREPROCESSING } from "../../data/images/preprocessing.ts";
import type { ObjectStore } from "../../data/objects/store.ts";
import type { FloatDtype } from "../../data/safetensors/fromFloat32.ts";
import type { SafetensorsHeader } from "../../data/safetensors/header.ts";
import { readStoredHeader } from "../../data/safetensors/storedHeader.ts";
import { storedZip } from "../../data/storedZip.ts";
import { WeightsError } from "../../model/checkWeights.ts";
import type { ExportedTensor, ExportPlan, WeightsFormat } from "../../model/formats/format.ts";
import { planExport } from "../../model/formats/planExport.ts";
import type { Checkpoint } from "../job.ts";
import { classNamesOf } from "./classNames.ts";
import { checkRanges, convertedChunks, layoutConverted } from "./convertedTensors.ts";
import { dtypeError } from "./float32.ts";
import { architectureOf } from "./readCheckpoint.ts";
import { readOrFail, yieldOrFail } from "./readOrFail.ts";

/** What to export. */
export interface ExportOptions {
  readonly format: WeightsFormat;
  readonly dtype: FloatDtype;
}

/** A file to download. It is computed while it is read. */
export interface ExportedFile {
  /** Name of the file for a download. */
  readonly filename: string;
  readonly mediaType: "application/octet-stream" | "application/zip";
  /** Size in bytes. */
  readonly size: number;
  /** Hexadecimal. It changes whenever the bytes change. */
  readonly digest: string;
  /**
   * Checks that the type can represent the values. For a type of 16 bits it reads the stored file.
   *
   * @throws {OverflowError} for a value that is too large
   * @throws {JobFailure} `checkpoint_unreadable` for a damaged stored file
   */
  check(signal?: AbortSignal): Promise<void>;
  /** Yields the bytes. @throws {JobFailure} `checkpoint_unreadable`, before the last bytes, for a damaged stored file */
  chunks(): AsyncIterable<Bytes>;
}

/** Number of the conversion's version. It must change when a conversion changes the values of tensors. */
const VERSION = 1;

/**
 * Prepares the export of a checkpoint: a safetensors file, or a zip of it with the other files that the format has.
 *
 * @throws {FormatError} when the format cannot express the model
 * @throws {JobFailure} `checkpoint_unreadable` when the stored file is missing or damaged
 */
export async function exportCheckpoint(
  store: ObjectStore,
  checkpoint: Checkpoint,
  { format, dtype }: ExportOptions,
): Promise<ExportedFile> {
  const classNames = await classNamesOf(store, checkpoint);
  const stored = await readOrFail(checkpoint, () => readStoredHeader(store, checkpoint.objectKey));
  const { metadata, ...plan } = format === "unmask" ? unchangedTensors(stored) : {
    ...planExport({
      format,
      config: checkpoint.config,
      architecture: architectureOf(checkpoint),
      classNames: classNames.length > 0 ? classNames : null,
      ...(checkpoint.rule ?? DEFAULT_PREPROCESSING),
    }),
    // Transformers cannot load a file without it.
    metadata: { format: "pt" },
  };
  const { tensors } = plan;
  await readOrFail(checkpoint, () => Promise.resolve(checkSources(stored, tensors)));
  const typed = tensors.map((tensor) => ({ ...tensor, dtype }));
  const layout = layoutConverted(typed, stored.tensors.keys(), metadata);
  const check = async (signal?: AbortSignal) => {
    if (dtype !== "F32") await readOrFail(checkpoint, () => checkRanges(store, checkpoint, layout, signal));
  };
  const chunks = () => yieldOrFail(checkpoint, convertedChunks(store, checkpoint, layout));
  const weights = { size: layout.size, chunks };
  const others = otherFiles(plan);
  const hash = createHash("sha256").update(`${VERSION} ${checkpoint.sha256} `).update(layout.header);
  for (const { name, bytes } of others) hash.update(name).update(bytes);
  const name = `${checkpoint.id}-${format}${dtype === "F32" ? "" : `-${dtype.toLowerCase()}`}`;
  const digest = hash.digest("hex");
  if (others.length === 0) {
    const mediaType = "application/octet-stream";
    return { filename: `${name}.safetensors`, mediaType, digest, check, ...weights };
  }
  const zip = storedZip([...others, { name: "model.safetensors", ...weights }]);
  return { filename: `${name}.zip`, mediaType: "application/zip", digest, check, ...zip };
}

/** The tensors and the metadata of a stored file as they are. */
function unchangedTensors(
  { tensors, metadata }: SafetensorsHeader,
): ExportPlan & Pick<SafetensorsHeader, "metadata"> {
  const unchanged = [...tensors].map(([name, { shape }]): ExportedTensor => ({
    name,
    shape,
    sources: [name],
    convert: ([tensor]) => tensor,
  }));
  return { tensors: unchanged, configJson: null, preprocessorJson: null, metadata };
}

/** @throws {WeightsError} when a stored file lacks a tensor */
function checkSources({ tensors: stored }: SafetensorsHeader, tensors: readonly ExportedTensor[]): void {
  for (const { sources } of tensors) {
    for (const name of sources) {
      const dtype = stored.get(name)?.dtype;
      if (dtype === undefined) throw new WeightsError(`The tensor '${name}' is missing`);
      if (dtype !== "F32") throw dtypeError(name, dtype);
    }
  }
}

/** Returns the files of an export beside its weights. */
function otherFiles(
  { configJson, preprocessorJson, notes = [] }: ExportPlan,
): { name: string; bytes: Bytes }[] {
  const json = (content: object | null) => content === null ? null : JSON.stringify(content, null, 2) + "\n";
  const texts = {
    "README.txt": notes.length === 0 ? null : notes.join("\n\n") + "\n",
    "config.json": json(configJson),
    "preprocessor_config.json": json(preprocessorJson),
  };
  return Object.entries(texts).flatMap(([name, text]) =>
    text === null ? [] : [{ name, bytes: new TextEncoder().encode(text) }]
  );
}
