import type { Bytes } from "../../../data/bytes.ts";
import { expect } from "expect";
import { OutageStore } from "../../../data/objects/outageStore.ts";
import { openStore } from "../../../data/objects/open.ts";
import { S3Error } from "../../../data/objects/s3/request.ts";
import {
  InvalidKeyError,
  ObjectExistsError,
  ObjectNotFoundError,
  type ObjectStore,
  StorageUnavailableError,
} from "../../../data/objects/store.ts";
import { withFullDisk } from "../../setup/fullDisk.ts";

/** Creates a store whose calls all fail with the error. */
function failing(error: unknown): ObjectStore {
  const fail = () => Promise.reject(error);
  const list = () => ({ [Symbol.asyncIterator]: () => ({ next: fail }) });
  return new OutageStore({ url: "file:/x", put: fail, get: fail, head: fail, delete: fail, list });
}

const calls: Record<string, (store: ObjectStore) => Promise<unknown>> = {
  put: (store) => store.put("x", new Uint8Array(1)),
  get: (store) => store.get("x"),
  head: (store) => store.head("x"),
  delete: (store) => store.delete("x"),
  list: (store) => Array.fromAsync(store.list("")),
};

const coded = (code: string) => Object.assign(new Error(code), { code });
const temporary = [
  ...["ENOSPC", "EDQUOT", "EIO", "EROFS", "EACCES", "ESTALE"].map(coded),
  new Deno.errors.PermissionDenied("no"),
  new DOMException("late", "TimeoutError"),
  ...[0, 401, 403, 429, 500, 503, 507].map((status) =>
    new S3Error(`S3 responded with ${status}`, status, "")
  ),
  new S3Error("no bucket", 404, "NoSuchBucket"),
];
for (const error of temporary) {
  Deno.test(`storage: "${error.message}" (${error.name}) is temporary`, async () => {
    for (const call of Object.values(calls)) {
      const thrown = await call(failing(error)).catch((error) => error) as Error;
      expect(thrown).toBeInstanceOf(StorageUnavailableError);
      expect(thrown.cause).toBe(error);
      expect(thrown.message).toContain(error.message);
    }
  });
}

const permanent = [
  new ObjectNotFoundError("x"),
  new ObjectExistsError("x"),
  new InvalidKeyError("x"),
  new S3Error("S3 responded with 412", 412, "PreconditionFailed"),
  new S3Error("S3 responded with 400", 400, "InvalidArgument"),
  new TypeError("x is not a function"),
];
for (const error of permanent) {
  Deno.test(`storage: "${error.message}" (${error.name}) is not temporary`, async () => {
    for (const call of Object.values(calls)) {
      expect(await call(failing(error)).catch((error) => error)).toBe(error);
    }
  });
}

Deno.test("storage: a failure of the source stream is not an outage", async () => {
  const folder = await Deno.makeTempDir();
  const store = openStore({ url: `file:${folder}` });
  const broken = new Deno.errors.TimedOut("the client stopped sending");
  const body = new ReadableStream<Bytes>({
    start: (controller) => controller.enqueue(new Uint8Array(10)),
    pull: (controller) => controller.error(broken),
  });
  expect(await store.put("x", body).catch((error) => error)).toBe(broken);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("storage: the loss of a folder that must exist is an outage, and it is not created again", async () => {
  const folder = await Deno.makeTempDir();
  const path = `${folder}/objects`;
  await Deno.mkdir(path);
  const store = openStore({ url: `file:${path}` }, { mustExist: true });
  await store.put("x", new Uint8Array(3));
  await Deno.rename(path, `${path}-away`);
  for (const [name, call] of Object.entries(calls)) {
    expect([name, await call(store).catch((error) => error)]).toEqual([
      name,
      expect.any(StorageUnavailableError),
    ]);
  }
  await Deno.rename(`${path}-away`, path);
  expect((await store.head("x"))?.size).toBe(3);
  await expect(store.get("y")).rejects.toBeInstanceOf(ObjectNotFoundError);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("storage: a full disk is an outage that leaves no file and ends when there is space", async () => {
  await withFullDisk(async (folder, makeRoom) => {
    const store = openStore({ url: `file:${folder}/objects` });
    await expect(store.put("x", new Uint8Array(64 * 1024))).rejects.toBeInstanceOf(StorageUnavailableError);
    expect(await store.head("x")).toBe(null);
    await makeRoom();
    await store.put("x", new Uint8Array(64 * 1024));
    expect((await store.head("x"))?.size).toBe(64 * 1024);
  });
});
