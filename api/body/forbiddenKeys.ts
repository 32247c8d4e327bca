/**
 * Names that no JSON key and no form field may have.
 *
 * @module
 */

/** Keys that could change the prototype of an object. */
export const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);
