/**
 * Reads JSON bodies strictly: input that two parsers could interpret differently is rejected.
 *
 * @module
 */
import { decodeJson, parseStrictJson, StrictJsonError } from "../../data/strictJson.ts";
import type { ApiLimits } from "../http/limits.ts";
import { fieldProblem, ProblemError } from "../http/problem.ts";
import { readBody } from "./stream.ts";

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
  try {
    const bytes = chunks.length === 1 ? chunks[0] : new Uint8Array(await new Blob(chunks).arrayBuffer());
    const text = decodeJson(bytes);
    if (text.trim() === "") throw new ProblemError(400, "The body is empty: it must be a JSON object");
    return await parseStrictJson(text, { depth: limits.jsonDepth, values: limits.jsonValues });
  } catch (error) {
    if (!(error instanceof StrictJsonError)) throw error;
    const { path, message, cause } = error;
    throw path === ""
      ? new ProblemError(400, `The body ${message}`, { cause })
      : fieldProblem(400, path, message, { cause });
  }
}
