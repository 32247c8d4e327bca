/**
 * Reads the objects of a data set and checks that they are complete.
 *
 * @module
 */
import { z } from "zod";
import { type Bytes, readBytes } from "../../bytes.ts";
import {
  type GetOptions,
  type ObjectBody,
  ObjectNotFoundError,
  type ObjectStore,
  RangeNotSatisfiableError,
} from "../../objects/store.ts";
import { DatasetDamagedError } from "../dataset.ts";
import type { Manifest } from "./manifest.ts";
import type { PackIndex, RawBlock } from "./storage.ts";

const columns = z.array(z.int().min(0));
const lengths = z.array(z.int().min(1));
const packSplit = z.object({ offsets: columns, lengths, labels: columns }).refine(
  ({ offsets, lengths, labels }) =>
    offsets.length === lengths.length && (labels.length === 0 || labels.length === offsets.length),
  { message: "has columns of different lengths" },
);
const indexSchema = z.object({ train: packSplit, test: packSplit });

/**
 * The objects of a data set. A missing, truncated or unreadable object causes a {@linkcode DatasetDamagedError}. An
 * outage of storage keeps its own error.
 */
export class DatasetObjects {
  readonly #store: ObjectStore;
  readonly #id: string;

  /** @param id id of the data set */
  constructor(store: ObjectStore, id: string) {
    this.#store = store;
    this.#id = id;
  }

  /** Reads a whole object, which must have exactly `size` bytes. @throws {DatasetDamagedError} */
  async readAll(key: string, size: number, signal?: AbortSignal): Promise<Bytes> {
    const { body, size: found } = await this.#get(key, { signal });
    if (found !== size) {
      await body.cancel();
      throw this.#damaged(`'${key}' has ${found} bytes instead of ${size}`);
    }
    const bytes = new Uint8Array(size);
    let offset = 0;
    for await (const chunk of body) {
      if (offset + chunk.length > size) throw this.#damaged(`'${key}' has more than ${size} bytes`);
      bytes.set(chunk, offset);
      offset += chunk.length;
      // Frees the chunk now. Garbage outside of V8's heap would grow to the size of the object.
      if (chunk.byteLength === chunk.buffer.byteLength) chunk.buffer.transfer(0);
    }
    if (offset !== size) throw this.#damaged(`'${key}' ended after ${offset} bytes of ${size}`);
    return bytes;
  }

  /** Reads `size` bytes of an object. @throws {DatasetDamagedError} */
  async readRange(key: string, start: number, size: number): Promise<Bytes> {
    const { body } = await this.#get(key, { range: { start, end: start + size - 1 } });
    const bytes = await readBytes(body);
    if (bytes.length !== size) throw this.#damaged(`'${key}' is too short`);
    return bytes;
  }

  /** Reads the labels of a block; null without labels. @throws {DatasetDamagedError} */
  async readLabels(block: RawBlock, signal?: AbortSignal): Promise<ArrayLike<number> | null> {
    const { count, labels, labelBytes = 1 } = block;
    if (labels === null) return null;
    const bytes = await this.readAll(labels, count * labelBytes, signal);
    // Typed arrays are little-endian on every machine that Deno runs on.
    return labelBytes === 1 ? bytes : new Uint16Array(bytes.buffer);
  }

  /** Reads the indices of held-out images in a block of `total` images. @throws {DatasetDamagedError} */
  async readHeldOutRows(
    key: string,
    count: number,
    total: number,
    signal?: AbortSignal,
  ): Promise<Uint32Array> {
    // Like the labels, the indices are little-endian.
    const rows = new Uint32Array((await this.readAll(key, 4 * count, signal)).buffer);
    const ascending = rows.every((row, i) => row < total && (i === 0 || row > rows[i - 1]));
    if (!ascending) throw this.#damaged(`'${key}' does not contain ascending indices below ${total}`);
    return rows;
  }

  /** Reads the index of a pack. @throws {DatasetDamagedError} */
  async readIndex(key: string, signal?: AbortSignal): Promise<PackIndex> {
    const text = await new Response((await this.#get(key, { signal })).body).text();
    try {
      return indexSchema.parse(JSON.parse(text));
    } catch (error) {
      throw this.#damaged(`'${key}' cannot be read`, error);
    }
  }

  /** Checks that every object exists and has the right size. @throws {DatasetDamagedError} */
  async check({ info, storage }: Manifest): Promise<void> {
    if (storage.kind === "pack") {
      const [pack, index] = await Promise.all([this.#sizeOf(storage.pack), this.#sizeOf(storage.index)]);
      if (pack + index === info.size) return;
      throw this.#damaged(
        `'${storage.pack}' and its index have ${pack + index} bytes instead of ${info.size}`,
      );
    }
    if (storage.heldOut?.rows !== undefined) {
      await this.#checkSize(storage.heldOut.rows, 4 * storage.heldOut.count);
    }
    const imageBytes = info.height! * info.width! * info.channels;
    for (const block of [storage.train, storage.test]) {
      if (block === null) continue;
      await this.#checkSize(block.images, block.count * imageBytes);
      if (block.labels !== null) await this.#checkSize(block.labels, block.count * (block.labelBytes ?? 1));
    }
  }

  async #checkSize(key: string, size: number): Promise<void> {
    const found = await this.#sizeOf(key);
    if (found !== size) throw this.#damaged(`'${key}' has ${found} bytes instead of ${size}`);
  }

  async #sizeOf(key: string): Promise<number> {
    const found = await this.#store.head(key);
    if (found === null) throw this.#damaged(`'${key}' is no longer stored`);
    return found.size;
  }

  async #get(key: string, options: GetOptions): Promise<ObjectBody> {
    try {
      return await this.#store.get(key, options);
    } catch (error) {
      if (error instanceof ObjectNotFoundError) throw this.#damaged(`'${key}' is no longer stored`, error);
      if (error instanceof RangeNotSatisfiableError) throw this.#damaged(`'${key}' is too short`, error);
      throw error;
    }
  }

  #damaged(reason: string, cause?: unknown): DatasetDamagedError {
    return new DatasetDamagedError(this.#id, reason, { cause });
  }
}
