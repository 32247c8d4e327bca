/**
 * Text that people read on one line: names.
 *
 * @module
 */

/**
 * One line without control characters, line separators and marks that change the direction of what follows. Joiners
 * stay: Persian, Hindi and emoji need them. Written so that ECMAScript and Python read it alike, with no flag.
 */
export const LINE_OF_TEXT =
  // deno-lint-ignore no-control-regex -- control characters are what it excludes
  /^[^\u0000-\u001f\u007f-\u009f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]+$/;

/** The same, or nothing. */
export const LINE_OR_EMPTY = new RegExp(LINE_OF_TEXT.source.replace(/\+\$$/, "*$"));

/** What to say of text that is not one. */
export const LINE_OF_TEXT_RULE = "must be one line without control or direction characters";
