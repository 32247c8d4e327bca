/**
 * Reads a safetensors file from object storage, one tensor after the other.
 *
 * @module
 */
import { type Bytes, concatBytes } from "../bytes.ts";
import type { ObjectStore } from "../objects/store.ts";
import { ARRAYS, type Tensor } from "./dtype.ts";
import { SafetensorsError } from "./error.ts";
import { readHeader, type SafetensorsHeader } from "./header.ts";
import { headerEnd, LENGTH_BYTES } from "./headerText.ts";

/** A stored file whose header has been read. It is open until it is disposed. */
export interface StoredTensors extends SafetensorsHeader, AsyncDisposable {
  /** Reads the tensors in the order of the file. It can be called once. */
  read(): AsyncGenerator<[name: string, tensor: Tensor], void>;
}

/**
 * Opens a stored file.
 *
 * @param onBytes called with all bytes of the file in their order
 * @param signal cancels the reading
 * @throws {ObjectNotFoundError} if no object has the key
 * @throws {SafetensorsError} for a file that violates a rule of the format, also while its tensors are read
 */
export async function openStoredTensors(
  store: ObjectStore,
  key: string,
  onBytes: (bytes: Bytes) => void = () => {},
  signal?: AbortSignal,
): Promise<StoredTensors> {
  const { body, size } = await store.get(key, { signal }), reader = new ByteReader(body, onBytes);
  try {
    const header = await readHeaderFrom(reader, size);
    const read = () => readTensors(reader, header);
    return { ...header, read, [Symbol.asyncDispose]: () => reader.close() };
  } catch (error) {
    await reader.close();
    throw error;
  }
}

async function readHeaderFrom(reader: ByteReader, size: number): Promise<SafetensorsHeader> {
  const start = await reader.read(Math.min(LENGTH_BYTES, size));
  const rest = await reader.read(headerEnd(start, size) - start.length);
  return readHeader(concatBytes([start, rest]), size);
}

async function* readTensors(
  reader: ByteReader,
  { tensors }: SafetensorsHeader,
): AsyncGenerator<[string, Tensor], void> {
  for (const [name, { dtype, shape, begin, end }] of tensors) {
    const { buffer } = await reader.read(end - begin);
    yield [name, { dtype, shape, data: new ARRAYS[dtype](buffer) } as Tensor];
  }
}

/** Reads a stream in pieces of given lengths. */
class ByteReader {
  readonly #reader: ReadableStreamDefaultReader<Bytes>;
  readonly #onBytes: (bytes: Bytes) => void;
  #rest: Bytes = new Uint8Array();

  constructor(stream: ReadableStream<Bytes>, onBytes: (bytes: Bytes) => void) {
    this.#reader = stream.getReader();
    this.#onBytes = onBytes;
  }

  /** Returns the next `length` bytes in an array of their own. @throws {SafetensorsError} when the stream is shorter */
  async read(length: number): Promise<Bytes> {
    const bytes = new Uint8Array(length);
    for (let filled = 0; filled < length;) {
      if (this.#rest.length === 0) {
        const { done, value } = await this.#reader.read();
        if (done) throw new SafetensorsError("The file ended while it was read");
        this.#onBytes(value);
        this.#rest = value;
      }
      const part = this.#rest.subarray(0, length - filled);
      bytes.set(part, filled);
      filled += part.length;
      this.#rest = this.#rest.subarray(part.length);
    }
    return bytes;
  }

  /** Cancels what has not been read. */
  async close(): Promise<void> {
    await this.#reader.cancel().catch(() => {});
  }
}
