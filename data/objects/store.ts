/**
 * The interface of object storage: bytes under a key. A write becomes visible as a whole or not at all.
 *
 * @module
 */
import type { Bytes } from "../bytes.ts";

/** Properties of an object. */
export interface ObjectInfo {
  readonly key: string;
  /** Size in bytes. */
  readonly size: number;
  /** Opaque, without quotes. It changes whenever the bytes change. */
  readonly etag: string;
  /** Time at which the bytes became visible. */
  readonly modifiedAt: Date;
}

/** First and last byte of a range, both inclusive, as in RFC 9110 section 14. `end` may exceed the object's size. */
export interface ByteRange {
  readonly start: number;
  /** @default the last byte of the object */
  readonly end?: number;
}

/** An object with its content. The body must be read to its end or cancelled. */
export interface ObjectBody extends ObjectInfo {
  /** The chunks belong to the reader, who may overwrite or transfer them. */
  readonly body: ReadableStream<Bytes>;
  /** The range of the object that `body` contains, if a range was requested. */
  readonly range?: { readonly start: number; readonly end: number };
}

/** Options of {@linkcode ObjectStore.put}. */
export interface PutOptions {
  /** Refuse with {@linkcode ObjectExistsError} if an object has the key. */
  readonly ifNoneMatch?: boolean;
  /** Returns the stream to store once more. With it, a put of a stream can be retried. */
  readonly reopen?: () => ReadableStream<Bytes>;
  /** Cancels the write. */
  readonly signal?: AbortSignal;
}

/** Options of {@linkcode ObjectStore.get}. */
export interface GetOptions {
  readonly range?: ByteRange;
  /** Cancels the read. The body then fails with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Object storage. Keys are `/`-separated segments of letters, digits and `-_.`, with at most 512 characters and without
 * empty segments, `.` and `..`. Every method throws {@linkcode InvalidKeyError} for another key.
 */
export interface ObjectStore {
  /** The address without secrets, in the form of `UNMASK_STORE`: `file:/var/lib/unmask`, `s3://bucket/prefix`. */
  readonly url: string;
  /** Writes an object. Readers see the old object or none until it returns. A failed write leaves nothing behind. */
  put(key: string, body: Bytes | ReadableStream<Bytes>, options?: PutOptions): Promise<ObjectInfo>;
  /**
   * Opens an object.
   *
   * @throws {ObjectNotFoundError}
   * @throws {RangeNotSatisfiableError}
   */
  get(key: string, options?: GetOptions): Promise<ObjectBody>;
  /** Returns the properties of an object, or null if there is none. */
  head(key: string): Promise<ObjectInfo | null>;
  /**
   * Yields the objects whose key begins with the prefix, ordered by the code units of their keys.
   *
   * @param options `after`: only keys greater than this text
   */
  list(prefix: string, options?: { readonly after?: string }): AsyncIterable<ObjectInfo>;
  /** Deletes an object if it exists. */
  delete(key: string): Promise<void>;
  /**
   * Removes the leftovers of interrupted writes, if the store has any.
   *
   * @param now milliseconds since 1970
   * @returns number of leftovers removed
   */
  sweep?(now?: number): Promise<number>;
  /** Returns the number of bytes that can still be stored, if the store has a limit. */
  freeBytes?(): Promise<number>;
}

/** No object has the key. */
export class ObjectNotFoundError extends Error {
  override readonly name = "ObjectNotFoundError";
  constructor(readonly key: string) {
    super(`No object has the key '${key}'`);
  }
}

/** An object already has the key, and `ifNoneMatch` was set. */
export class ObjectExistsError extends Error {
  override readonly name = "ObjectExistsError";
  constructor(readonly key: string) {
    super(`An object with the key '${key}' already exists`);
  }
}

/**
 * Object storage cannot be used at present: it is unreachable, overloaded, full, read-only or refuses access. The same
 * call may succeed later. `cause` is the original error.
 */
export class StorageUnavailableError extends Error {
  override readonly name = "StorageUnavailableError";
}

/** The range begins after the end of the object. */
export class RangeNotSatisfiableError extends Error {
  override readonly name = "RangeNotSatisfiableError";
  /** @param size size of the object in bytes */
  constructor(readonly key: string, readonly size: number) {
    super(`The range begins after the end of '${key}', which has ${size} bytes`);
  }
}

/** The text is not a valid key; see {@linkcode ObjectStore}. */
export class InvalidKeyError extends Error {
  override readonly name = "InvalidKeyError";
  constructor(readonly key: string) {
    super(`Cannot use '${key.slice(0, 80)}' as an object key`);
  }
}
