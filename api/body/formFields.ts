/**
 * The contents of a multipart form, and the rules for its field names, file names and texts.
 *
 * @module
 */
// @ts-types="@types/busboy"
import type busboy from "busboy";
import type { UploadedFile } from "../../data/datasets/uploadedFile.ts";
import { SINGLE_LINE } from "../../data/singleLineText.ts";
import { fieldProblem } from "../http/problem.ts";
import { FORBIDDEN_KEYS } from "../../data/strictJson.ts";

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

/** The fields of a form that is being parsed. It validates each field when it is added. */
export class FormFields {
  /** The text fields by their names. */
  readonly texts: Record<string, string> = {};
  readonly #rules: FormRules;
  readonly #names = new Set<string>();

  constructor(rules: FormRules) {
    this.#rules = rules;
  }

  /**
   * Adds a text field.
   *
   * @param value undefined if the parser cannot decode its character set
   * @throws {ProblemError} 413, 415 or 422
   */
  addText(name: string, value: string | undefined, info: busboy.FieldInfo): void {
    const { fileFields, fieldBytes } = this.#rules;
    if (name === "" || info.nameTruncated) {
      throw fieldProblem(422, "", "must have a name of 1 to 100 bytes for every field");
    }
    if (FORBIDDEN_KEYS.has(name)) throw fieldProblem(422, name, "is not an allowed field name");
    if (fileFields.includes(name)) {
      throw fieldProblem(422, name, `must be a file, as in curl -F ${name}=@file`);
    }
    if (this.#names.has(name)) {
      throw fieldProblem(422, name, "is given more than once: give it once, with all of its values");
    }
    checkEncoding(name, info.encoding);
    if (value === undefined) {
      throw fieldProblem(415, name, "must be text in UTF-8: its charset is not supported");
    }
    if (info.valueTruncated) throw fieldProblem(413, name, `must have at most ${fieldBytes} bytes`);
    this.#names.add(name);
    // The parser replaces invalid UTF-8 by U+FFFD.
    if (value.includes("\0") || value.includes("\ufffd")) {
      throw fieldProblem(422, name.slice(0, 80), "must be UTF-8 text without NUL characters");
    }
    this.texts[name] = value;
  }

  /** Adds a file. @returns its file name @throws {ProblemError} 415 or 422 */
  addFile(name: string, info: busboy.FileInfo): string {
    const { fileFields, repeatableFileFields = [] } = this.#rules;
    if (name === "") throw fieldProblem(422, "", "must have a field name for every file");
    if (!fileFields.includes(name)) {
      throw fieldProblem(422, name.slice(0, 80), `is not a file field: use ${fileFields.join(", ")}`);
    }
    if (this.#names.has(name) && !repeatableFileFields.includes(name)) {
      throw fieldProblem(422, name, "is given more than once");
    }
    this.#names.add(name);
    const filename = info.filename ?? "";
    checkFilename(name, filename);
    checkEncoding(name, info.encoding);
    return filename;
  }
}

/** @throws {ProblemError} 422 for a name that is too long or has control characters */
function checkFilename(field: string, filename: string): void {
  if (filename.length > 255) {
    throw fieldProblem(422, field, `file name must have at most 255 characters: it has ${filename.length}`);
  }
  if (filename !== "" && !SINGLE_LINE.test(filename)) {
    throw fieldProblem(422, field, "file name must not contain control or direction characters");
  }
}

/** @throws {ProblemError} 415 for a part with a transfer encoding, which RFC 7578 section 4.7 deprecates */
function checkEncoding(name: string, encoding: string): void {
  if (["7bit", "8bit", "binary"].includes(encoding.toLowerCase())) return;
  throw fieldProblem(
    415,
    name,
    `must be sent unencoded: Content-Transfer-Encoding '${encoding.slice(0, 40)}' is not supported`,
  );
}
