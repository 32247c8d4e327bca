/**
 * Redaction of URLs in messages.
 *
 * @module
 */

/** Shortens a URL for a message and removes the part before an `@`, which may be a password. */
export function redactUrl(url: string): string {
  return url.replace(/\/\/[^/]*@/, "//…@").slice(0, 200);
}
