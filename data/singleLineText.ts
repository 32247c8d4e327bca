/**
 * Rule for one-line texts such as names.
 *
 * @module
 */

/**
 * One line without control characters, line separators and marks that change the direction of text. Joiners are allowed
 * because Persian, Hindi and emoji need them. The pattern means the same in ECMAScript and Python, without flags.
 */
export const SINGLE_LINE =
  // deno-lint-ignore no-control-regex -- control characters are what it excludes
  /^[^\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+$/;

/** The same, or an empty text. */
export const SINGLE_LINE_OR_EMPTY = new RegExp(SINGLE_LINE.source.replace(/\+\$$/, "*$"));

/** Message for a text that breaks the rule. */
export const SINGLE_LINE_MESSAGE = "must be one line without control or direction characters";
