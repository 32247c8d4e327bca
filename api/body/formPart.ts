/**
 * The parts of a multipart body once they have arrived.
 *
 * @module
 */
import type { UploadedFile } from "../../data/datasets/uploadedFile.ts";
import { SINGLE_LINE } from "../../data/singleLineText.ts";
import { fieldProblem } from "../http/problem.ts";

/** What a form held. */
export interface Form {
  readonly fields: Readonly<Record<string, string>>;
  readonly files: readonly UploadedFile[];
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
  if (filename !== "" && !SINGLE_LINE.test(filename)) {
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
