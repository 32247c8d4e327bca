/**
 * URLs in messages.
 *
 * @module
 */

/** Returns a URL for a message: without the part before an `@`, which may be a password, and of limited length. */
export function redactUrl(url: string): string {
  return url.replace(/\/\/[^/]*@/, "//…@").slice(0, 200);
}
