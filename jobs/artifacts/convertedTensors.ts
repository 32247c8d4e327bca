/**
 * Converts the tensors of a stored checkpoint one after the other.
 *
 * @module
 */
import type { Bytes } from "../../data/bytes.ts";
import type { ObjectStore } from "../../data/objects/store.ts";
import { checkRange, type FloatDtype, fromFloat32 } from "../../data/safetensors/fromFloat32.ts";
import { layoutInOrder, type SafetensorsLayout, streamedChunks } from "../../data/safetensors/layout.ts";
import type { ExportedTensor } from "../../model/formats/format.ts";
import type { Checkpoint } from "../job.ts";
import { TensorReader } from "./tensorReader.ts";

/** A tensor of a converted file. */
export interface ConvertedTensor extends ExportedTensor {
  readonly dtype: FloatDtype;
}

/**
 * Lays out a converted file. Its tensors have the order of the stored ones that they are made of, so that one pass over
 * the stored file converts them.
 *
 * @param stored the names of the stored tensors in the order of their file
 */
export function layoutConverted(
  tensors: readonly ConvertedTensor[],
  stored: Iterable<string>,
  metadata: Readonly<Record<string, string>>,
): SafetensorsLayout<ConvertedTensor> {
  const order = new Map([...stored].map((name, index) => [name, index]));
  const last = ({ sources }: ConvertedTensor) => Math.max(-1, ...sources.map((name) => order.get(name)!));
  return layoutInOrder([...tensors].sort((a, b) => last(a) - last(b)), metadata);
}

/**
 * Yields the bytes of a converted file, with few tensors in memory. The last bytes are yielded when the digest of the
 * stored file has been checked.
 *
 * @throws {SafetensorsError} @throws {WeightsError} when the stored file is damaged
 * @throws {OverflowError} for a value that is too large for its type
 */
export async function* convertedChunks(
  store: ObjectStore,
  checkpoint: Checkpoint,
  layout: SafetensorsLayout<ConvertedTensor>,
): AsyncGenerator<Bytes, void> {
  await using reader = await TensorReader.open(
    store,
    checkpoint,
    layout.tensors.map(({ sources }) => sources),
  );
  const chunks = streamedChunks(layout, async ({ name, dtype, sources, convert }) => {
    const { data } = convert(await reader.take(sources));
    return fromFloat32(name, data, dtype);
  });
  let held: Bytes | null = null;
  for await (const chunk of chunks) {
    if (held !== null) yield held;
    held = chunk;
  }
  await reader.finish();
  if (held !== null) yield held;
}

/**
 * Reads a stored file, and checks that the types of the converted tensors can represent its values.
 *
 * @throws {ObjectNotFoundError} @throws {SafetensorsError} @throws {WeightsError} when the stored file is damaged
 * @throws {OverflowError} for a value that is too large for its type
 */
export async function checkRanges(
  store: ObjectStore,
  checkpoint: Checkpoint,
  { tensors }: SafetensorsLayout<ConvertedTensor>,
  signal?: AbortSignal,
): Promise<void> {
  await using reader = await TensorReader.open(
    store,
    checkpoint,
    tensors.map(({ sources }) => sources),
    signal,
  );
  for (const { name, dtype, sources, convert } of tensors) {
    checkRange(name, convert(await reader.take(sources)).data, dtype);
  }
  await reader.finish();
}
