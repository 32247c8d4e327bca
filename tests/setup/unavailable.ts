/**
 * Missing programs of tests.
 *
 * @module
 */

/** Prints that tests are ignored, and returns null. @throws {Error} in CI (`CI=true`), where nothing may be missing */
export function unavailable(what: string, reason: string): null {
  const message = `${what} is not available: ${reason}`;
  if (Deno.env.get("CI") === "true") throw new Error(message);
  console.warn(`Tests are ignored: ${message}`);
  return null;
}
