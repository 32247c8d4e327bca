/**
 * Rules for keys and prefixes, the same for all object stores.
 *
 * @module
 */
import { InvalidKeyError } from "./store.ts";

/** Key of the object with which health checks and runners probe object storage. */
export const PROBE_KEY = "health/probe";

/** Whether a text is a key as {@linkcode ObjectStore} defines it. */
export function isKey(text: string): boolean {
  return text.length <= 512 &&
    text.split("/").every((segment) =>
      /^[A-Za-z0-9_.-]+$/.test(segment) && segment !== "." && segment !== ".."
    );
}

/** Returns a valid key. @throws {InvalidKeyError} */
export function checkKey(key: string): string {
  if (!isKey(key)) throw new InvalidKeyError(key);
  return key;
}

/** Returns a valid prefix of keys: empty, a key, or a key followed by `/`. @throws {InvalidKeyError} */
export function checkPrefix(prefix: string): string {
  if (prefix !== "") checkKey(prefix.endsWith("/") ? prefix.slice(0, -1) : prefix);
  return prefix;
}
