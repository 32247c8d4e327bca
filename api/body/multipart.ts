/**
 * Multipart bodies, streamed: files go to temporary files as they arrive, and are gone when the request is handled.
 *
 * @module
 */
import type { Readable } from "node:stream";
// @ts-types="@types/busboy"
import busboy from "busboy";
import { isOutage } from "../../data/objects/outage.ts";
import { fieldProblem, ProblemError } from "../http/problem.ts";
import type { UploadedFile } from "../../data/datasets/uploadedFile.ts";
import { checkField, checkFilename, type Form, type FormRules } from "./formPart.ts";
import { type BodyLimits, checkBodyHeaders, readBody } from "./stream.ts";

const FORBIDDEN = new Set(["__proto__", "constructor", "prototype"]);

/**
 * Reads a form, hands it to `use`, and removes its temporary files whatever happens.
 *
 * @param tempDir where the temporary folder is made; the system's when absent
 * @throws {ProblemError} 415 unless it is multipart, 400 when it is malformed or broken off, 408 and 413 past a
 * limit, 422 naming a field that is unknown, given twice or badly named
 */
export async function withForm<T>(
  request: Request,
  limits: BodyLimits,
  rules: FormRules,
  tempDir: string | undefined,
  use: (form: Form) => Promise<T>,
): Promise<T> {
  const type = request.headers.get("content-type") ?? "";
  if (!/^multipart\/form-data\s*(;|$)/i.test(type)) {
    throw new ProblemError(
      415,
      `Content-Type must be multipart/form-data: current value is '${type.slice(0, 80)}'`,
    );
  }
  checkBodyHeaders(request, limits.bytes);
  const parser = openParser(type, rules);
  const folder = await onDisk(async () => {
    if (tempDir !== undefined) await Deno.mkdir(tempDir, { recursive: true });
    return await Deno.makeTempDir({ dir: tempDir, prefix: "unmask-upload-" });
  });
  try {
    return await use(await receive(request, limits, rules, parser, folder));
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** @throws {ProblemError} 503 for a disk that is full, failing, read-only or not accessible */
async function onDisk<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isOutage(error)) throw error;
    const options = { headers: { "retry-after": "30" }, cause: error };
    throw new ProblemError(503, "Uploads cannot be stored at the moment: try again later", options);
  }
}

function openParser(type: string, rules: FormRules): busboy.Busboy {
  try {
    return busboy({
      headers: { "content-type": type },
      defParamCharset: "utf8",
      limits: {
        fieldNameSize: 100,
        fieldSize: rules.fieldBytes,
        fields: rules.fields,
        files: rules.files,
        fileSize: rules.fileBytes,
        parts: rules.fields + rules.files,
        headerPairs: 32,
      },
    });
  } catch (error) {
    const rule = "Content-Type must have a boundary parameter, as in multipart/form-data; boundary=abc";
    throw new ProblemError(400, rule, { cause: error });
  }
}

/** Feeds the body to the parser and each file to the disk, no faster than the disk takes it. */
async function receive(
  request: Request,
  limits: BodyLimits,
  rules: FormRules,
  parser: busboy.Busboy,
  folder: string,
): Promise<Form> {
  const fields: Record<string, string> = {};
  const writes: Promise<UploadedFile>[] = [];
  const seen = new Set<string>();
  const failed = Promise.withResolvers<never>();
  const fail = (error: unknown) => failed.reject(error);
  failed.promise.catch(() => {});
  const finished = new Promise<void>((resolve) => parser.once("close", resolve));

  parser.on("field", (name, value, info) => {
    try {
      takeField(fields, seen, rules, name ?? "", value, info);
    } catch (error) {
      fail(error);
    }
  });
  parser.on("file", (name, stream, info) => {
    // A form may break off before its file is read: an error that nobody listens to would end the process.
    stream.on("error", () => {});
    try {
      const filename = takeFile(seen, rules, name ?? "", info.filename ?? "");
      checkEncoding(name, info.encoding);
      const write = writeFile(stream, name, filename, `${folder}/${writes.length}`, rules.fileBytes);
      write.catch(fail);
      writes.push(write);
    } catch (error) {
      stream.resume();
      fail(error);
    }
  });
  const tooMany = (what: string, most: number, field = "") =>
    fail(fieldProblem(422, field, `must have at most ${most} ${what}`));
  const [fileField] = rules.fileFields.length === 1 ? rules.fileFields : [];
  parser.once("filesLimit", () => tooMany("files", rules.files, fileField));
  parser.once("fieldsLimit", () => tooMany("fields", rules.fields));
  parser.once("partsLimit", () => tooMany("parts", rules.fields + rules.files));
  parser.on(
    "error",
    (error) => fail(new ProblemError(400, `The form is malformed: ${(error as Error).message}`)),
  );

  try {
    await Promise.race([feed(request, limits, parser, failed.promise), failed.promise]);
    parser.end();
    await Promise.race([finished, failed.promise]);
    return { fields, files: await Promise.race([Promise.all(writes), failed.promise]) };
  } finally {
    parser.destroy();
    // The folder can be removed only when nothing is writing into it any more.
    await Promise.allSettled(writes);
  }
}

async function feed(
  request: Request,
  limits: BodyLimits,
  parser: busboy.Busboy,
  failed: Promise<never>,
): Promise<void> {
  for await (const piece of readBody(request, limits)) {
    if (parser.write(piece)) {
      // Lets a failure found in this piece stop the reading of the next one.
      await Promise.race([failed, Promise.resolve()]);
      continue;
    }
    let resume = () => {};
    const drained = new Promise<void>((resolve) => parser.once("drain", resume = resolve));
    try {
      await Promise.race([drained, failed]);
    } finally {
      parser.off("drain", resume);
    }
  }
}

function takeField(
  fields: Record<string, string>,
  seen: Set<string>,
  rules: FormRules,
  name: string,
  value: string | undefined,
  info: busboy.FieldInfo,
): void {
  if (name === "" || info.nameTruncated) {
    throw fieldProblem(422, "", "must have a name of 1 to 100 bytes for every field");
  }
  if (FORBIDDEN.has(name)) throw fieldProblem(422, name, "is a name that is never taken");
  if (rules.fileFields.includes(name)) {
    throw fieldProblem(422, name, "must be a file, as in curl -F name=@file");
  }
  if (seen.has(name)) throw fieldProblem(422, name, "is given twice");
  checkEncoding(name, info.encoding);
  // The parser returns no value if it cannot decode the character set.
  if (value === undefined) {
    throw fieldProblem(415, name, "must be text in UTF-8: its charset is not supported");
  }
  if (info.valueTruncated) throw fieldProblem(413, name, `must have at most ${rules.fieldBytes} bytes`);
  seen.add(name);
  fields[name] = checkField(name, value);
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

function takeFile(seen: Set<string>, rules: FormRules, name: string, filename: string): string {
  if (name === "") throw fieldProblem(422, "", "must have a field name for every file");
  if (!rules.fileFields.includes(name)) {
    throw fieldProblem(422, name.slice(0, 80), `is not a file that is taken: ${rules.fileFields.join(", ")}`);
  }
  if (seen.has(name) && !rules.repeated?.includes(name)) throw fieldProblem(422, name, "is given twice");
  seen.add(name);
  return checkFilename(name, filename);
}

async function writeFile(
  stream: Readable & { truncated?: boolean },
  field: string,
  filename: string,
  path: string,
  most: number,
): Promise<UploadedFile> {
  const file = await onDisk(() => Deno.open(path, { write: true, createNew: true, mode: 0o600 }));
  try {
    let size = 0;
    for await (const piece of stream) {
      const bytes = piece as Uint8Array;
      for (let at = 0; at < bytes.byteLength;) {
        at += await onDisk(() => file.write(bytes.subarray(at)));
      }
      size += bytes.byteLength;
    }
    if (stream.truncated) throw fieldProblem(413, field, `file must have at most ${most} bytes`);
    return { field, filename, path, size };
  } finally {
    file.close();
  }
}
