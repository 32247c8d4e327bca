/**
 * Validation of single-line texts, such as names.
 *
 * @module
 */

/**
 * Matches a line without control characters, line separators and marks that change the direction of text. Joiners are
 * allowed because Persian, Hindi and emoji need them. The pattern is the same in ECMAScript and Python, without flags.
 */
export const SINGLE_LINE =
  // deno-lint-ignore no-control-regex -- the pattern excludes control characters
  /^[^\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+$/;

/** Matches the same texts and the empty text. */
export const SINGLE_LINE_OR_EMPTY = new RegExp(SINGLE_LINE.source.replace(/\+\$$/, "*$"));

/** Message for a text that does not match. */
export const SINGLE_LINE_MESSAGE = "must be one line without control or direction characters";
