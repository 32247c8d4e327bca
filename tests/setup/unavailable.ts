/**
 * What tests do about a program they need and cannot have.
 *
 * @module
 */

/** Prints why tests are ignored and returns null; in CI (`CI=true`) nothing may be missing. @throws {Error} there */
export function unavailable(what: string, reason: string): null {
  const message = `${what} cannot be had: ${reason}`;
  if (Deno.env.get("CI") === "true") throw new Error(message);
  console.warn(`Tests that need it are ignored: ${message}`);
  return null;
}
