/**
 * The contents of a multipart form, and the rules for its field names, file names and texts.
 *
 * @module
 */
import type { UploadedFile } from "../../data/datasets/uploadedFile.ts";
import { SINGLE_LINE } from "../../data/singleLineText.ts";
import { fieldProblem } from "../http/problem.ts";

/** The contents of a form. */
export interface Form {
  readonly fields: Readonly<Record<string, string>>;
  readonly files: readonly UploadedFile[];
}

/** The allowed fields of a form, and their limits. */
export interface FormRules {
  /** Allowed names of file fields. */
  readonly fileFields: readonly string[];
  /** Names of file fields that may have more than one file. */
  readonly repeatableFileFields?: readonly string[];
  /** Maximum number of files. */
  readonly files: number;
  /** Maximum size of a file. */
  readonly fileBytes: number;
  /** Maximum number of text fields. */
  readonly fields: number;
  /** Maximum size of a text field. */
  readonly fieldBytes: number;
}

/** Returns the file name. @throws {ProblemError} 422 for a name that is too long or has control characters */
export function checkFilename(field: string, filename: string): string {
  if (filename.length > 255) {
    throw fieldProblem(422, field, `file name must have at most 255 characters: it has ${filename.length}`);
  }
  if (filename !== "" && !SINGLE_LINE.test(filename)) {
    throw fieldProblem(422, field, "file name must not contain control or direction characters");
  }
  return filename;
}

/** Returns the text of a field. @throws {ProblemError} 422 for invalid UTF-8 and NUL characters */
export function checkField(name: string, value: string): string {
  if (value.includes("\0") || value.includes("\ufffd")) {
    throw fieldProblem(422, name.slice(0, 80), "must be UTF-8 text without NUL characters");
  }
  return value;
}
