/**
 * Reads JSON bodies strictly: input that two parsers could interpret differently is rejected.
 *
 * @module
 */
import { createScanner, parse, type ParseError, printParseErrorCode } from "jsonc-parser";
import type { ApiLimits } from "../http/limits.ts";
import { fieldProblem, ProblemError } from "../http/problem.ts";
import { FORBIDDEN_KEYS } from "./forbiddenKeys.ts";
import { readBody } from "./stream.ts";

/** `SyntaxKind` of jsonc-parser, which is a const enum and so has no values to import. */
const TOKEN = { openBrace: 1, closeBrace: 2, openBracket: 3, closeBracket: 4, comma: 5, string: 10, end: 17 };

/** Checks the Content-Type. @throws {ProblemError} 415 unless it is JSON in UTF-8 */
function checkContentType(request: Request): void {
  const header = request.headers.get("content-type") ?? "";
  const [type, ...parameters] = header.toLowerCase().split(";").map((part) => part.trim());
  if (type !== "application/json") {
    throw new ProblemError(
      415,
      `Content-Type must be application/json: current value is '${header.slice(0, 80)}'`,
    );
  }
  for (const parameter of parameters) {
    const [name, value] = parameter.split("=").map((part) => part.trim().replaceAll('"', ""));
    if (name === "charset" && value !== "utf-8" && value !== "utf8") {
      throw new ProblemError(415, `charset must be utf-8: current value is '${(value ?? "").slice(0, 40)}'`);
    }
  }
}

/**
 * Parses the body of a request.
 *
 * @param maxBytes maximum size of the body
 * @throws {ProblemError} 400 for invalid JSON, for duplicate or forbidden keys, for text that is not valid Unicode, and
 * for too many levels or values; 408, 413, 415 as {@linkcode readBody} does
 */
export async function readJson(
  request: Request,
  limits: ApiLimits,
  maxBytes = limits.jsonBytes,
): Promise<unknown> {
  checkContentType(request);
  const chunks: Uint8Array<ArrayBuffer>[] = [];
  const bodyLimits = { bytes: maxBytes, idleMs: limits.bodyIdleMs, totalMs: limits.bodyTotalMs };
  for await (const chunk of readBody(request, bodyLimits)) chunks.push(chunk);
  const text = decode(chunks.length === 1 ? chunks[0] : new Uint8Array(await new Blob(chunks).arrayBuffer()));
  if (text.trim() === "") throw new ProblemError(400, "The body is empty: it must be a JSON object");
  checkStructure(text, limits);
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new ProblemError(400, `The body is not JSON${syntaxErrorOf(text)}`, { cause: error });
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

function decode(bytes: Uint8Array<ArrayBuffer>): string {
  if (bytes[0] === 0xef && bytes[1] === 0xbb && bytes[2] === 0xbf) {
    throw new ProblemError(400, "The body begins with a byte order mark: leave it out");
  }
  try {
    return new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new ProblemError(400, "The body is not valid UTF-8");
  }
}

/** Checks keys, texts, depth and size in one pass without recursion, so that deep nesting cannot exhaust the stack. */
function checkStructure(text: string, limits: ApiLimits): void {
  const scanner = createScanner(text, true);
  const open: { keys: Set<string> | null; key: string; awaitsKey: boolean }[] = [];
  let values = 0;
  const path = () => open.map((level) => level.key).filter((key) => key !== "").join(".").slice(0, 200);
  for (let token: number = scanner.scan(); token !== TOKEN.end; token = scanner.scan()) {
    const level = open.at(-1);
    switch (token) {
      case TOKEN.openBrace:
      case TOKEN.openBracket: {
        const isObject = token === TOKEN.openBrace;
        open.push({ keys: isObject ? new Set() : null, key: "", awaitsKey: isObject });
        if (open.length > limits.jsonDepth) {
          throw new ProblemError(400, `The body is nested deeper than ${limits.jsonDepth} levels`);
        }
        break;
      }
      case TOKEN.closeBrace:
      case TOKEN.closeBracket:
        open.pop();
        break;
      case TOKEN.comma:
        if (level?.keys) level.awaitsKey = true;
        if (++values > limits.jsonValues) {
          throw new ProblemError(400, `The body has more than ${limits.jsonValues} values`);
        }
        break;
      case TOKEN.string: {
        const value = scanner.getTokenValue();
        if (level?.keys && level.awaitsKey) {
          level.key = value;
          level.awaitsKey = false;
          checkKey(level.keys, value, path());
        }
        checkText(value, path());
        break;
      }
    }
  }
}

function checkKey(previousKeys: Set<string>, key: string, path: string): void {
  if (FORBIDDEN_KEYS.has(key)) throw fieldProblem(400, path, "is not an allowed key");
  if (previousKeys.has(key)) throw fieldProblem(400, path, "is given more than once");
  previousKeys.add(key);
}

function checkText(value: string, path: string): void {
  if (value.includes("\0")) throw fieldProblem(400, path, "must not contain a NUL character");
  if (!value.isWellFormed()) throw fieldProblem(400, path, "must not contain a lone surrogate");
}
