/**
 * Streams multipart bodies: files are written to temporary files while they arrive, and removed after the request.
 *
 * @module
 */
import type { Readable } from "node:stream";
// @ts-types="@types/busboy"
import busboy from "busboy";
import { fieldProblem, ProblemError } from "../http/problem.ts";
import type { UploadedFile } from "../../data/datasets/uploadedFile.ts";
import { type Form, FormFields, type FormRules } from "./formFields.ts";
import { type BodyLimits, checkBodyHeaders, readBody } from "./stream.ts";
import { withDiskErrors, withTempFolder } from "./tempFolder.ts";

/**
 * Reads a form, calls `run` with it, and then removes its temporary files.
 *
 * @param tempDir parent of the temporary folder; the system's temporary folder by default
 * @throws {ProblemError} 415 unless the body is multipart, 400 when it is malformed or incomplete, 408 and 413 beyond a
 * limit, 422 naming a field that is unknown, repeated or has an invalid name
 */
export async function withForm<T>(
  request: Request,
  limits: BodyLimits,
  rules: FormRules,
  tempDir: string | undefined,
  run: (form: Form) => Promise<T>,
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
  return await withTempFolder(
    tempDir,
    async (folder) => await run(await parseForm(request, limits, rules, parser, folder)),
  );
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

/** Feeds the body to the parser and writes its files. Back pressure of the disk slows down the reading. */
async function parseForm(
  request: Request,
  limits: BodyLimits,
  rules: FormRules,
  parser: busboy.Busboy,
  folder: string,
): Promise<Form> {
  const fields = new FormFields(rules);
  const writes: Promise<UploadedFile>[] = [];
  const failed = Promise.withResolvers<never>();
  const fail = (error: unknown) => failed.reject(error);
  failed.promise.catch(() => {});
  const finished = new Promise<void>((resolve) => parser.once("close", resolve));

  parser.on("field", (name, value, info) => {
    try {
      fields.addText(name ?? "", value, info);
    } catch (error) {
      fail(error);
    }
  });
  parser.on("file", (name, stream, info) => {
    // The form may end before its file is read. An error event without a listener would end the process.
    stream.on("error", () => {});
    try {
      const filename = fields.addFile(name ?? "", info);
      const write = writeFile(stream, name, filename, `${folder}/${writes.length}`, rules.fileBytes);
      write.catch(fail);
      writes.push(write);
    } catch (error) {
      stream.resume();
      fail(error);
    }
  });
  const failWithCount = (noun: string, max: number, field = "") =>
    fail(fieldProblem(422, field, `must have at most ${max} ${noun}`));
  const { fileFields, repeatableFileFields = [] } = rules;
  const [fileField] = fileFields.length === 1 ? fileFields : repeatableFileFields;
  parser.once("filesLimit", () => failWithCount("files", rules.files, fileField));
  parser.once("fieldsLimit", () => failWithCount("fields", rules.fields));
  parser.once("partsLimit", () => failWithCount("parts", rules.fields + rules.files));
  parser.on(
    "error",
    (error) => fail(new ProblemError(400, `The form is malformed: ${(error as Error).message}`)),
  );

  try {
    await Promise.race([feedParser(request, limits, parser, failed.promise), failed.promise]);
    parser.end();
    await Promise.race([finished, failed.promise]);
    return { fields: fields.texts, files: await Promise.race([Promise.all(writes), failed.promise]) };
  } finally {
    parser.destroy();
    // The folder can be removed only after the last write.
    await Promise.allSettled(writes);
  }
}

async function feedParser(
  request: Request,
  limits: BodyLimits,
  parser: busboy.Busboy,
  failed: Promise<never>,
): Promise<void> {
  for await (const chunk of readBody(request, limits)) {
    if (parser.write(chunk)) {
      // A failure in this chunk stops the reading before the next one.
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

async function writeFile(
  stream: Readable & { truncated?: boolean },
  field: string,
  filename: string,
  path: string,
  maxBytes: number,
): Promise<UploadedFile> {
  const file = await withDiskErrors(() => Deno.open(path, { write: true, createNew: true, mode: 0o600 }));
  try {
    let size = 0;
    for await (const chunk of stream) {
      const bytes = chunk as Uint8Array;
      for (let offset = 0; offset < bytes.byteLength;) {
        offset += await withDiskErrors(() => file.write(bytes.subarray(offset)));
      }
      size += bytes.byteLength;
    }
    if (stream.truncated) throw fieldProblem(413, field, `file must have at most ${maxBytes} bytes`);
    return { field, filename, path, size };
  } finally {
    file.close();
  }
}
