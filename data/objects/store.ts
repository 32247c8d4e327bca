/**
 * What an object store does for the rest of the house: bytes under a key, visible whole or not at all.
 *
 * @module
 */

/** What is known of an object without reading it. */
export interface ObjectInfo {
  /** Where it is. */
  readonly key: string;
  /** Bytes. */
  readonly size: number;
  /** Opaque, without quotes; changes whenever the bytes do. */
  readonly etag: string;
  /** When the bytes became visible. */
  readonly modifiedAt: Date;
}

/** First and last byte wanted, both inclusive, as in RFC 9110 section 14. `end` may lie past the object's end. */
export interface ByteRange {
  /** First byte. */
  readonly start: number;
  /** Last byte; the last of the object when not given. */
  readonly end?: number;
}

/** An object being read. The body must be read to its end or cancelled. */
export interface ObjectBody extends ObjectInfo {
  /** The bytes. */
  readonly body: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** The part that `body` holds, when a range was asked for. */
  readonly range?: { readonly start: number; readonly end: number };
}

/** How to put. */
export interface PutOptions {
  /** Refuse with {@linkcode ObjectExistsError} when the key is taken already. */
  readonly ifNoneMatch?: boolean;
  /** Gives up the put. */
  readonly signal?: AbortSignal;
}

/** What to get. */
export interface GetOptions {
  /** Only these bytes. */
  readonly range?: ByteRange;
  /** Ends the body with the signal's reason. */
  readonly signal?: AbortSignal;
}

/**
 * Object storage. Keys are `/`-separated segments of letters, digits and `-_.`; no empty segment, `.` or `..`;
 * at most 512 characters. Every method throws {@linkcode InvalidKeyError} for another key.
 */
export interface ObjectStore {
  /** Where it is, as in `UNMASK_STORE`, without secrets: `file:/var/lib/unmask`, `s3://bucket/prefix`. */
  readonly url: string;
  /** Writes an object. Until it returns readers see the old object or none; a failed put leaves nothing. */
  put(
    key: string,
    body: Uint8Array<ArrayBuffer> | ReadableStream<Uint8Array<ArrayBuffer>>,
    options?: PutOptions,
  ): Promise<ObjectInfo>;
  /**
   * Opens an object.
   *
   * @throws {ObjectNotFoundError}
   * @throws {RangeNotSatisfiableError}
   */
  get(key: string, options?: GetOptions): Promise<ObjectBody>;
  /** What is known of an object; null when there is none. */
  head(key: string): Promise<ObjectInfo | null>;
  /**
   * Every object whose key begins with the prefix, ordered by key (code units), page by page.
   *
   * @param options `after`: only keys greater than this text
   */
  list(prefix: string, options?: { readonly after?: string }): AsyncIterable<ObjectInfo>;
  /** Removes an object; nothing happens when there is none. */
  delete(key: string): Promise<void>;
  /**
   * Removes what interrupted puts of killed processes have left behind, if a store has such leftovers.
   *
   * @param now milliseconds since 1970
   * @returns number of leftovers removed
   */
  sweep?(now?: number): Promise<number>;
  /** Number of bytes that can still be stored, if the store has a limit. */
  freeBytes?(): Promise<number>;
}

/** No object under that key. */
export class ObjectNotFoundError extends Error {
  /** Always this. */
  override readonly name = "ObjectNotFoundError";
  /** Names the key. */
  constructor(readonly key: string) {
    super(`No object under the key '${key}'`);
  }
}

/** The key is taken, and the put asked for a free one. */
export class ObjectExistsError extends Error {
  /** Always this. */
  override readonly name = "ObjectExistsError";
  /** Names the key. */
  constructor(readonly key: string) {
    super(`There is an object under the key '${key}' already`);
  }
}

/**
 * Object storage cannot be used at present: it is unreachable, overloaded, full, read-only or refuses access. The same
 * call may succeed later. `cause` is the original error.
 */
export class StorageUnavailableError extends Error {
  /** Always this. */
  override readonly name = "StorageUnavailableError";
}

/** The range begins past the object's end. */
export class RangeNotSatisfiableError extends Error {
  /** Always this. */
  override readonly name = "RangeNotSatisfiableError";
  /** Names the key and the bytes the object has. */
  constructor(readonly key: string, readonly size: number) {
    super(`The range begins past the end of '${key}', which has ${size} bytes`);
  }
}

/** Not a key; see {@linkcode ObjectStore}. */
export class InvalidKeyError extends Error {
  /** Always this. */
  override readonly name = "InvalidKeyError";
  /** Names the beginning of the text. */
  constructor(readonly key: string) {
    super(`Cannot use '${key.slice(0, 80)}' as an object key`);
  }
}

/**
 * Returns the key when it is one (for prefixes see `checkPrefix`).
 *
 * @throws {InvalidKeyError} when it is not
 */
export function checkKey(key: string): string {
  const segments = key.split("/");
  const fine = key.length <= 512 &&
    segments.every((segment) => /^[A-Za-z0-9_.-]+$/.test(segment) && segment !== "." && segment !== "..");
  if (!fine) throw new InvalidKeyError(key);
  return key;
}
