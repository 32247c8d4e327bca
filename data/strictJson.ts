/**
 * Checks JSON texts more strictly than `JSON.parse`: input that two parsers could interpret differently is rejected.
 *
 * @module
 */
import { createScanner, parse, type ParseError, printParseErrorCode } from "jsonc-parser";
import { yieldToEventLoop } from "./eventLoop.ts";

/** Keys that could change the prototype of an object. */
export const FORBIDDEN_KEYS: ReadonlySet<string> = new Set(["__proto__", "constructor", "prototype"]);

/** Limits of a JSON text. */
export interface JsonLimits {
  /** Nesting of objects and arrays. */
  readonly depth: number;
  /** Keys and array elements together. */
  readonly values: number;
}

/** A text that is not JSON or not strict enough. The message completes the name of the text: "is nested deeper …". */
export class StrictJsonError extends Error {
  override readonly name = "StrictJsonError";
  /** @param path of the value that is wrong; empty for the text as a whole */
  constructor(readonly path: string, message: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** Maximum number of blanks and line breaks of a text. Those of an indented text of the largest size fit into it. */
const MAX_BLANKS = 2 ** 21;

/** The message for a text with more blanks. */
export const TOO_MANY_BLANKS = `has more than ${MAX_BLANKS} blanks and line breaks`;

/** Returns whether a text has more blanks and line breaks than the limit. They take long to scan. */
export function hasManyBlanks(text: string): boolean {
  return text.length > MAX_BLANKS && text.length - text.replace(/[ \t\r\n]+/g, "").length > MAX_BLANKS;
}

/** `SyntaxKind` of jsonc-parser, which is a const enum and so has no values to import. */
const TOKEN = { openBrace: 1, closeBrace: 2, openBracket: 3, closeBracket: 4, comma: 5, string: 10, end: 17 };

/**
 * Decodes a JSON text.
 *
 * @throws {StrictJsonError} for a byte order mark and for bytes that are not UTF-8
 */
export function decodeJson(bytes: Uint8Array<ArrayBuffer>): string {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    throw new StrictJsonError("", "begins with a byte order mark: leave it out");
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new StrictJsonError("", "is not valid UTF-8");
  }
}

/**
 * Parses a JSON text. Other requests are served while a long text is checked.
 *
 * @throws {StrictJsonError} for invalid JSON, for duplicate or forbidden keys, for text that is not valid Unicode, and
 * for too many levels or values
 */
export async function parseStrictJson(text: string, limits: JsonLimits): Promise<unknown> {
  if (hasManyBlanks(text)) throw new StrictJsonError("", TOO_MANY_BLANKS);
  for (const _part of checkStructure(text, limits)) await yieldToEventLoop();
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new StrictJsonError("", `is not JSON${syntaxErrorOf(text)}`, { cause });
  }
}

/** Describes the first syntax error and its position, as the end of a sentence; empty when there is none. */
function syntaxErrorOf(text: string): string {
  const errors: ParseError[] = [];
  parse(text, errors, { disallowComments: true });
  if (errors.length === 0) return "";
  const { error, offset } = errors[0];
  const lines = text.slice(0, offset).split("\n");
  const description = printParseErrorCode(error).replaceAll(/(?<=.)([A-Z])/g, " $1").toLowerCase();
  return `: ${description} at line ${lines.length}, column ${lines.at(-1)!.length + 1}`;
}

/** Number of tokens that are checked at a time. */
const TOKENS = 4096;

/**
 * Checks keys, texts, depth and size in one pass without recursion, so that deep nesting cannot exhaust the stack. Yields
 * after each part of a long text.
 */
function* checkStructure(text: string, limits: JsonLimits): Generator<void, void> {
  const scanner = createScanner(text, true);
  const open: { keys: Set<string> | null; key: string; awaitsKey: boolean }[] = [];
  let values = 0, tokens = 0;
  const path = () => open.map((level) => level.key).filter((key) => key !== "").join(".").slice(0, 200);
  for (let token: number = scanner.scan(); token !== TOKEN.end; token = scanner.scan()) {
    if (++tokens % TOKENS === 0) yield;
    const level = open.at(-1);
    switch (token) {
      case TOKEN.openBrace:
      case TOKEN.openBracket: {
        const isObject = token === TOKEN.openBrace;
        open.push({ keys: isObject ? new Set() : null, key: "", awaitsKey: isObject });
        if (open.length > limits.depth) {
          throw new StrictJsonError("", `is nested deeper than ${limits.depth} levels`);
        }
        break;
      }
      case TOKEN.closeBrace:
      case TOKEN.closeBracket:
        open.pop();
        break;
      case TOKEN.comma:
        if (level?.keys) level.awaitsKey = true;
        if (++values > limits.values) {
          throw new StrictJsonError("", `has more than ${limits.values} values`);
        }
        break;
      case TOKEN.string: {
        const value = scanner.getTokenValue();
        if (level?.keys && level.awaitsKey) {
          level.key = value;
          level.awaitsKey = false;
          checkKey(level.keys, value, path);
        }
        checkText(value, path);
        break;
      }
    }
  }
}

function checkKey(previousKeys: Set<string>, key: string, path: () => string): void {
  if (FORBIDDEN_KEYS.has(key)) throw new StrictJsonError(path(), "is not an allowed key");
  if (previousKeys.has(key)) throw new StrictJsonError(path(), "is given more than once");
  previousKeys.add(key);
}

function checkText(value: string, path: () => string): void {
  if (value.includes("\0")) throw new StrictJsonError(path(), "must not contain a NUL character");
  if (!value.isWellFormed()) throw new StrictJsonError(path(), "must not contain a lone surrogate");
}
