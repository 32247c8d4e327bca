import { expect } from "expect";
import { readJson } from "../../api/body/json.ts";
import { withForm } from "../../api/body/multipart.ts";
import { readBody } from "../../api/body/stream.ts";
import { DEFAULT_LIMITS } from "../../api/http/limits.ts";
import { ProblemError } from "../../api/http/problem.ts";
import { withFullDisk } from "../setup/fullDisk.ts";
import { problemOf, TestApi } from "./fixtures.ts";

const url = "http://localhost/";
const jsonRequest = (body: BodyInit, headers: Record<string, string> = {}) =>
  new Request(url, { method: "POST", body, headers: { "content-type": "application/json", ...headers } });

async function problem(work: Promise<unknown>): Promise<ProblemError> {
  const error = await work.then(() => null, (error) => error);
  expect(error).toBeInstanceOf(ProblemError);
  return error;
}

Deno.test("a JSON body is parsed", async () => {
  const value = { kind: "pretrain", list: [1, { a: "ä\n" }], a: { a: null } };
  expect(await readJson(jsonRequest(JSON.stringify(value)), DEFAULT_LIMITS)).toEqual(value);
});

Deno.test("a chunked body is rejected at the limit, without reading the rest", async () => {
  let pulled = 0;
  let cancelled = false;
  const endless = new ReadableStream<Uint8Array>({
    pull: (controller) => {
      pulled++;
      controller.enqueue(new Uint8Array(1024).fill(32));
    },
    cancel: () => void (cancelled = true),
  });
  const error = await problem(readJson(jsonRequest(endless), { ...DEFAULT_LIMITS, jsonBytes: 4096 }));
  expect(error.status).toBe(413);
  expect(pulled).toBeLessThan(8);
  expect(cancelled).toBe(true);
});

Deno.test("a body that stops arriving is rejected after the time limit", async () => {
  const silent = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(new Uint8Array(1)),
  });
  const error = await problem(readJson(jsonRequest(silent), { ...DEFAULT_LIMITS, bodyIdleMs: 5 }));
  expect(error.status).toBe(408);
});

/** Reads a body of three chunks, with a pause after the first, which is longer than one of the limits. */
async function readSlowly(limits: { idleMs: number; totalMs: number }, endsAfterChunks: boolean) {
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let chunk = 0; chunk < 3; chunk++) controller.enqueue(new Uint8Array(1));
      if (endsAfterChunks) controller.close();
    },
  });
  const request = new Request(url, { method: "POST", body: stream });
  let chunks = 0;
  for await (const _ of readBody(request, { bytes: 100, ...limits })) {
    if (chunks++ === 0) await new Promise((resolve) => setTimeout(resolve, 20));
  }
  return chunks;
}

Deno.test("a body that stops arriving is rejected although its chunks were written slowly", async () => {
  const error = await problem(readSlowly({ idleMs: 5, totalMs: 60_000 }, false));
  expect(error.status).toBe(408);
});

Deno.test("the idle limit does not include the time to write a chunk, and the total limit does", async () => {
  expect(await readSlowly({ idleMs: 5, totalMs: 60_000 }, true)).toBe(3);
  const error = await problem(readSlowly({ idleMs: 60_000, totalMs: 5 }, true));
  expect(error.status).toBe(408);
});

const rules = {
  fileFields: ["a", "many"],
  repeatableFileFields: ["many"],
  files: 3,
  fileBytes: 1000,
  fields: 3,
  fieldBytes: 50,
};
const bounds = { bytes: 100_000, idleMs: 5_000, totalMs: 5_000 };

/** Reads a form. @returns the result, and the number of entries that remain in the temporary folder */
async function send(request: Request, limits = bounds) {
  const tempDir = await Deno.makeTempDir();
  try {
    const result = await withForm(request, limits, rules, tempDir, async (form) => ({
      fields: form.fields,
      files: await Promise.all(form.files.map(async (file) => ({
        field: file.field,
        filename: file.filename,
        size: file.size,
        text: new TextDecoder().decode(await Deno.readFile(file.path)),
      }))),
    })).catch((error) => error);
    return { result, left: [...Deno.readDirSync(tempDir)].length };
  } finally {
    await Deno.remove(tempDir, { recursive: true });
  }
}

function formRequest(parts: [string, string | File][]): Request {
  const form = new FormData();
  for (const [name, value] of parts) form.append(name, value);
  return new Request(url, { method: "POST", body: form });
}

Deno.test("the fields and files of a form are read, and its temporary files are removed", async () => {
  const text = "x".repeat(900);
  const { result, left } = await send(formRequest([
    ["name", "größe"],
    ["a", new File([text], "ä.idx")],
    ["many", new File(["1"], "1")],
    ["many", new File([""], "2")],
  ]));
  expect(result.fields).toEqual({ name: "größe" });
  expect(result.files).toEqual([
    { field: "a", filename: "ä.idx", size: 900, text },
    { field: "many", filename: "1", size: 1, text: "1" },
    { field: "many", filename: "2", size: 0, text: "" },
  ]);
  expect(left).toBe(0);
});

const rejected: [string, [string, string | File][], number, string][] = [
  ["a file above its limit", [["a", new File(["x".repeat(1001)], "f")]], 413, "a"],
  ["a field above its limit", [["name", "x".repeat(51)]], 413, "name"],
  ["more files than allowed", [1, 2, 3, 4].map((n) => ["many", new File(["x"], `${n}`)]), 422, "many"],
  ["more fields than allowed", ["b", "c", "d", "e"].map((name) => [name, "x"]), 422, ""],
  ["a repeated file", [["a", new File(["x"], "1")], ["a", new File(["x"], "2")]], 422, "a"],
  ["a repeated field", [["b", "1"], ["b", "2"]], 422, "b"],
  ["an unknown file", [["other", new File(["x"], "1")]], 422, "other"],
  ["text in a file field", [["a", "text"]], 422, "a"],
  ["a file name of 1,000 characters", [["a", new File(["x"], "n".repeat(1000))]], 422, "a"],
  ["a file name with a direction character", [["a", new File(["x"], "a\u202egnp.exe")]], 422, "a"],
  ["the name __proto__", [["__proto__", "x"]], 422, "__proto__"],
];
for (const [title, parts, status, path] of rejected) {
  Deno.test(`a form with ${title} is rejected, and its files are removed`, async () => {
    const { result, left } = await send(formRequest(parts));
    expect(result).toBeInstanceOf(ProblemError);
    expect({ status: result.status, path: result.errors[0]?.path ?? "" }).toEqual({ status, path });
    expect(left).toBe(0);
  });
}

Deno.test("a form that is incomplete or has no final boundary is rejected, and its files are removed", async () => {
  const whole = new Uint8Array(await formRequest([["a", new File(["x".repeat(500)], "f")]]).arrayBuffer());
  const boundary = new TextDecoder().decode(whole).split("\r\n")[0].slice(2);
  const headers = { "content-type": `multipart/form-data; boundary=${boundary}` };
  for (const body of [whole.slice(0, 300), whole.slice(0, 20), new Uint8Array(0)]) {
    const { result, left } = await send(new Request(url, { method: "POST", body, headers }));
    expect(result).toBeInstanceOf(ProblemError);
    expect(result.status).toBe(400);
    expect(left).toBe(0);
  }
  const broken = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(whole.slice(0, 300)),
    pull: (controller) => controller.error(new Error("connection reset")),
  });
  const { result, left } = await send(new Request(url, { method: "POST", body: broken, headers }));
  expect(result.status).toBe(400);
  expect(left).toBe(0);
});

Deno.test("a form without a boundary is rejected", async () => {
  const headers = { "content-type": "multipart/form-data" };
  const { result, left } = await send(new Request(url, { method: "POST", body: "x", headers }));
  expect(result.status).toBe(400);
  expect(left).toBe(0);
});

Deno.test("a form part with an unsupported charset or transfer encoding is rejected by its field", async (t) => {
  await using api = await TestApi.open();
  const field = 'Content-Disposition: form-data; name="name"';
  const file = 'Content-Disposition: form-data; name="archive"; filename="a.zip"';
  const table: [title: string, head: string[], path: string][] = [
    ["utf-16", [field, "Content-Type: text/plain; charset=utf-16"], "name"],
    ["utf-7", [field, "Content-Type: text/plain; charset=utf-7"], "name"],
    ["an unknown charset", [field, "Content-Type: text/plain; charset=klingon"], "name"],
    ["a field in base64", [field, "Content-Transfer-Encoding: base64"], "name"],
    ["a field in quoted-printable", [field, "Content-Transfer-Encoding: quoted-printable"], "name"],
    ["a field in an unknown encoding", [field, "Content-Transfer-Encoding: x-none"], "name"],
    ["a file in base64", [file, "Content-Transfer-Encoding: base64"], "archive"],
  ];
  for (const [title, head, path] of table) {
    await t.step(title, async () => {
      const response = await api.send("/v1/datasets", {
        method: "POST",
        headers: { "content-type": "multipart/form-data; boundary=b" },
        body: ["--b", ...head, "", "text", "--b--", ""].join("\r\n"),
      });
      expect((await problemOf(response, 415)).errors.map((error) => error.path)).toEqual([path]);
    });
  }
  await t.step("an explicit UTF-8 charset and unencoded bytes are accepted", async () => {
    const head = [field, 'Content-Type: text/plain; charset="UTF-8"', "Content-Transfer-Encoding: BINARY"];
    const response = await api.send("/v1/datasets", {
      method: "POST",
      headers: { "content-type": "multipart/form-data; boundary=b" },
      body: ["--b", ...head, "", "text", "--b--", ""].join("\r\n"),
    });
    expect((await problemOf(response, 422)).errors).toMatchObject([{ path: "train_images" }]);
  });
  for (
    const type of ["multipart/form-data", "multipart/form-data; boundary=", "multipart/form-data; boundary=é"]
  ) {
    await t.step(type, async () => {
      const response = await api.send("/v1/datasets", {
        method: "POST",
        headers: { "content-type": type },
        body: "",
      });
      expect((await problemOf(response, 400)).detail).toContain("boundary");
    });
  }
  expect(await api.traces()).toEqual([]);
  expect(api.log.filter(({ level }) => level === "error")).toEqual([]);
});

Deno.test("an upload to a full disk gets 503, and succeeds when the disk has space", async () => {
  await withFullDisk(async (folder, makeRoom) => {
    const limits = { bytes: 1_000_000, idleMs: 5_000, totalMs: 10_000 };
    const rules = { fileFields: ["a"], files: 1, fileBytes: 1_000_000, fields: 1, fieldBytes: 100 };
    const upload = () => {
      const form = new FormData();
      form.set("a", new File([new Uint8Array(500_000)], "a"));
      const request = new Request(url, { method: "POST", body: form });
      return withForm(request, limits, rules, folder, ({ files }) => Promise.resolve(files[0].size));
    };
    const rejection = await problem(upload());
    expect(rejection).toMatchObject({ status: 503, headers: { "retry-after": "30" } });
    expect([...Deno.readDirSync(folder)].map(({ name }) => name)).toEqual(["filler"]);
    await makeRoom();
    expect(await upload()).toBe(500_000);
  });
});
