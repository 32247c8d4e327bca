/**
 * Local safetensors files of one model. Their tensors are read in parts, so that a large model is never in memory as a
 * whole.
 *
 * @module
 */
import { type FileHandle, open } from "node:fs/promises";
import { yieldToEventLoop } from "../eventLoop.ts";
import { ARRAYS, type Tensor } from "./dtype.ts";
import { quote, SafetensorsError } from "./error.ts";
import { readHeader, type SafetensorsHeader, type TensorInfo } from "./header.ts";
import { checkShardNames, readIndex } from "./shardIndex.ts";
import { headerEnd, LENGTH_BYTES, MAX_HEADER_BYTES } from "./headerText.ts";

/** A local file. */
export interface TensorFile {
  /** Name for messages, and by which the index refers to the file. */
  readonly name: string;
  readonly path: string;
}

/** Open files. */
export interface TensorFiles extends AsyncDisposable {
  /** The tensors of all files by name. */
  readonly tensors: ReadonlyMap<string, TensorInfo>;
  /** The metadata of all files. Of equal keys, the first file's value counts. */
  readonly metadata: Readonly<Record<string, string>>;
  /** Returns the name of the file that has a tensor. @throws {RangeError} when none has it */
  fileOf(name: string): string;
  /**
   * Reads consecutive values of a tensor in row-major order, as a vector. Several can be read at the same time.
   *
   * @param begin index of the first value
   * @param end index after the last value
   * @throws {RangeError} when no file has the tensor
   * @throws {SafetensorsError} when its file ends early
   */
  read(name: string, begin: number, end: number): Promise<Tensor>;
}

interface OpenFile extends SafetensorsHeader {
  readonly name: string;
  readonly handle: FileHandle;
  readonly headerBytes: number;
}

/** Maximum size of the headers of all files in bytes. */
const MAX_HEADERS_BYTES = 2 * MAX_HEADER_BYTES;

/**
 * Opens the files of one model, and checks their headers and the index.
 *
 * @param index text of `model.safetensors.index.json`, which maps each tensor to its file
 * @throws {SafetensorsError} naming the file that violates a rule of the format, a tensor that two files have, the entry
 * of the index that contradicts the files, or without an index a shard of which others are missing
 */
export async function openTensorFiles(files: readonly TensorFile[], index?: string): Promise<TensorFiles> {
  const opened: OpenFile[] = [];
  const close = async () => {
    await Promise.all(opened.map(({ handle }) => handle.close()));
  };
  try {
    let headerBytes = 0;
    for (const file of files) {
      const open = await openFile(file);
      opened.push(open);
      headerBytes += open.headerBytes;
      if (headerBytes > MAX_HEADERS_BYTES) {
        throw new SafetensorsError(`The headers of all files together exceed ${MAX_HEADERS_BYTES} bytes`);
      }
      await yieldToEventLoop();
    }
    const owners = ownersOf(opened);
    const ownerOf = (name: string): OpenFile => {
      const file = owners.get(name);
      if (file === undefined) throw new RangeError(`No file has the tensor ${quote(name)}`);
      return file;
    };
    if (index === undefined) checkShardNames(opened.map(({ name }) => name));
    else await checkIndex(index, opened);
    return {
      tensors: new Map([...owners].map(([name, { tensors }]) => [name, tensors.get(name)!])),
      metadata: Object.assign({}, ...opened.map(({ metadata }) => metadata).reverse()),
      fileOf: (name) => ownerOf(name).name,
      read: async (name, begin, end) => await readValues(ownerOf(name), name, begin, end),
      [Symbol.asyncDispose]: close,
    };
  } catch (error) {
    await close();
    throw error;
  }
}

async function openFile({ name, path }: TensorFile): Promise<OpenFile> {
  const handle = await open(path, "r");
  try {
    const { size } = await handle.stat();
    const start = await readBytes(handle, 0, Math.min(LENGTH_BYTES, size));
    const bytes = await readBytes(handle, 0, headerEnd(start, size));
    return { name, handle, headerBytes: bytes.length, ...readHeader(bytes, size) };
  } catch (error) {
    await handle.close();
    if (!(error instanceof SafetensorsError)) throw error;
    throw new SafetensorsError(`The file '${name}' is not a valid safetensors file. ${error.message}`, {
      cause: error,
    });
  }
}

/** Returns the file of each tensor. @throws {SafetensorsError} when two files have the same name or tensor */
function ownersOf(files: readonly OpenFile[]): Map<string, OpenFile> {
  const names = new Set<string>(), owners = new Map<string, OpenFile>();
  for (const file of files) {
    if (names.has(file.name)) throw new SafetensorsError(`Two files are named '${file.name}'`);
    names.add(file.name);
    for (const tensor of file.tensors.keys()) {
      const other = owners.get(tensor);
      if (other !== undefined) {
        throw new SafetensorsError(
          `The files '${other.name}' and '${file.name}' both have the tensor ${
            quote(tensor)
          }: send only one of them`,
        );
      }
      owners.set(tensor, file);
    }
  }
  return owners;
}

/** Checks that an index names exactly the tensors of the files. @throws {SafetensorsError} */
async function checkIndex(text: string, files: readonly OpenFile[]): Promise<void> {
  const map = await readIndex(text), byName = new Map(files.map((file) => [file.name, file]));
  for (const [tensor, name] of map) {
    const file = byName.get(name);
    if (file === undefined) {
      throw new SafetensorsError(
        `The index names the file ${quote(name)}, which is missing: send it as well`,
      );
    }
    if (!file.tensors.has(tensor)) {
      throw new SafetensorsError(
        `The index maps the tensor ${quote(tensor)} to '${name}', which does not have it`,
      );
    }
  }
  for (const { name, tensors } of files) {
    for (const tensor of tensors.keys()) {
      if (map.get(tensor) === name) continue;
      throw new SafetensorsError(
        map.has(tensor)
          ? `The index maps the tensor ${quote(tensor)} of '${name}' to another file`
          : `The index lacks the tensor ${quote(tensor)} of '${name}'`,
      );
    }
  }
}

async function readValues(
  { name: fileName, handle, tensors }: OpenFile,
  name: string,
  begin: number,
  end: number,
): Promise<Tensor> {
  const { dtype, begin: start } = tensors.get(name)!, Values = ARRAYS[dtype];
  const size = (end - begin) * Values.BYTES_PER_ELEMENT;
  const { buffer, length } = await readBytes(handle, start + begin * Values.BYTES_PER_ELEMENT, size);
  if (length < size) throw new SafetensorsError(`The file '${fileName}' ended while it was read`);
  return { dtype, shape: [end - begin], data: new Values(buffer) } as Tensor;
}

/** Reads bytes at an offset; fewer at the end of the file. */
async function readBytes(
  handle: FileHandle,
  offset: number,
  length: number,
): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  let filled = 0;
  while (filled < length) {
    const { bytesRead } = await handle.read(bytes, filled, length - filled, offset + filled);
    if (bytesRead === 0) return bytes.slice(0, filled);
    filled += bytesRead;
  }
  return bytes;
}
