/**
 * The parts of a multipart body once they have arrived.
 *
 * @module
 */
import { LINE_OF_TEXT } from "../../data/lineOfText.ts";
import { fieldProblem } from "../http/problem.ts";

/** A file of a form, kept in a temporary file while the request is handled. */
export interface FormFile {
  readonly field: string;
  /** The client's name for it: for messages only, never a path. */
  readonly filename: string;
  readonly path: string;
  /** Bytes. */
  readonly size: number;
}

/** What a form held. */
export interface Form {
  readonly fields: Readonly<Record<string, string>>;
  readonly files: readonly FormFile[];
}

/** What a form may hold. */
export interface FormRules {
  /** Names of file fields. */
  readonly fileFields: readonly string[];
  /** Names of file fields that may come more than once. */
  readonly repeated?: readonly string[];
  readonly files: number;
  readonly fileBytes: number;
  readonly fields: number;
  readonly fieldBytes: number;
}

/** @throws {ProblemError} 422 for a name that no file system would have given */
export function checkFilename(field: string, filename: string): string {
  if (filename.length > 255) {
    throw fieldProblem(422, field, `file name must have at most 255 characters: it has ${filename.length}`);
  }
  if (filename !== "" && !LINE_OF_TEXT.test(filename)) {
    throw fieldProblem(422, field, "file name must not hold control or direction characters");
  }
  return filename;
}

/** @throws {ProblemError} 422 for a text field that is not well-formed text */
export function checkField(name: string, value: string): string {
  if (value.includes("\0") || value.includes("\ufffd")) {
    throw fieldProblem(422, name.slice(0, 80), "must be UTF-8 text without NUL characters");
  }
  return value;
}
