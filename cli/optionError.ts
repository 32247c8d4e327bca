/**
 * Errors of command lines.
 *
 * @module
 */

/** Returns whether `parseArgs` rejected the options of the command line. */
export function isOptionError(error: unknown): boolean {
  return error instanceof Error && "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
}
