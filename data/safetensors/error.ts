/**
 * Errors of safetensors files.
 *
 * @module
 */

/** A file that is not a valid safetensors file, or that is refused. The message gives the cause. */
export class SafetensorsError extends Error {
  override readonly name = "SafetensorsError";
}

/** Formats a value of a file for a message: short, and without control characters. */
export function quote(value: unknown): string {
  const text = JSON.stringify(value) ?? "missing";
  return text.length > 80 ? text.slice(0, 80) + "…" : text;
}
