import { expect } from "expect";
import { Buffer } from "node:buffer";
import { pause } from "../../data/backoff.ts";
import { openStore } from "../../data/objects/open.ts";
import type { ObjectStore } from "../../data/objects/store.ts";
import { IMPORT_MS } from "../../jobs/store/checkpoints/imports.ts";
import { sweepJobs } from "../../jobs/store/deletion/sweep.ts";
import { problemOf, TestApi } from "../api/fixtures.ts";
import { PRESETS } from "../../model/presets.ts";
import { findVersitygw, startVersitygw } from "../setup/versitygw.ts";
import { tinyUpload, tinyWeights } from "../api/importFiles.ts";
import { killedAfter } from "../jobs/fixtures.ts";
import { withFullDisk } from "../setup/fullDisk.ts";
import { withOverrides } from "../setup/overrides.ts";
import { faultyStore } from "./faultyStore.ts";

/** Runs a test with object storage in a temporary folder. */
async function withFolder(test: (objects: ObjectStore) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  await test(openStore({ url: `file:${folder}` }));
  await Deno.remove(folder, { recursive: true });
}

/** Removes what killed processes left behind, as a sweeper does when the time of imports is over. */
const sweepLater = ({ kv }: TestApi, objects: ObjectStore) =>
  sweepJobs({ kv, now: () => Date.now() + IMPORT_MS }, objects);

/** Returns a promise that resolves once a condition is true. */
async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!await condition()) await pause(20);
}

Deno.test("an import is stored whole or not at all when a call of object storage fails", async (t) => {
  for (const when of ["before", "after"] as const) {
    for (const times of [1, 3]) {
      let status = 503;
      for (let nth = 1; status !== 201; nth++) {
        await t.step(
          `${times} calls from call ${nth}, ${when} they take effect`,
          () =>
            withFolder(async (objects) => {
              await using api = await TestApi.open({}, faultyStore(objects, { nth, times, when }));
              const response = await api.importWeights(tinyUpload());
              status = response.status;
              if (status === 201) return await response.body?.cancel();
              await problemOf(response, 503);
              await sweepLater(api, objects);
              expect(await Array.fromAsync(objects.list(""))).toEqual([]);
              expect(await Array.fromAsync(api.kv.list({ prefix: [] }))).toEqual([]);
              expect(await Array.fromAsync(Deno.readDir(api.tempDir))).toEqual([]);
            }),
        );
      }
    }
  }
});

Deno.test("an import is recorded whole or not at all when the process ends before a commit", async (t) => {
  let status = 500;
  for (let commits = 0; status !== 201; commits++) {
    await t.step(`after ${commits} commits`, () =>
      withFolder(async (objects) => {
        let real!: Deno.Kv;
        await using api = await TestApi.open({}, objects, undefined, (kv) => killedAfter(real = kv, commits));
        const response = await api.importWeights(tinyUpload());
        status = response.status;
        await response.body?.cancel();
        if (status === 201) return;
        await sweepJobs({ kv: real, now: () => Date.now() + IMPORT_MS }, objects);
        expect(await api.traces()).toEqual([]);
      }));
  }
});

Deno.test("an object that reads back differently is not recorded, and is deleted", () =>
  withFolder(async (objects) => {
    const flipping = withOverrides(objects, {
      async get(...args: Parameters<ObjectStore["get"]>) {
        const found = await objects.get(...args);
        const flip = new TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>>({
          transform: (chunk, controller) => controller.enqueue(chunk.map((byte) => byte ^ 1)),
        });
        return { ...found, body: found.body.pipeThrough(flip) };
      },
    });
    await using api = await TestApi.open({}, flipping);
    const { detail } = await problemOf(await api.importWeights(tinyUpload()), 503);
    expect(detail).toMatch(/differs from what was written/);
    expect(await api.traces()).toEqual([]);
  }));

/** Object storage whose writes wait until they are cancelled. */
function waitingStore(objects: ObjectStore, started: () => void): ObjectStore {
  return withOverrides(objects, {
    put(_key: string, body: Parameters<ObjectStore["put"]>[1], options: Parameters<ObjectStore["put"]>[2]) {
      started();
      return new Promise<never>((_resolve, reject) => {
        options!.signal!.addEventListener("abort", () => {
          if (body instanceof ReadableStream) body.cancel();
          reject(options!.signal!.reason);
        });
      });
    },
  });
}

Deno.test("nothing is left of an import that takes too long", () =>
  withFolder(async (objects) => {
    await using api = await TestApi.open({ uploadStoreMs: 200 }, waitingStore(objects, () => {}));
    await problemOf(await api.importWeights(tinyUpload()), 504);
    expect(await api.traces()).toEqual([]);
  }));

Deno.test("nothing is left of an import whose client disconnects", async (t) => {
  await t.step("while it is stored", () =>
    withFolder(async (objects) => {
      const started = Promise.withResolvers<void>();
      await using api = await TestApi.open({}, waitingStore(objects, started.resolve));
      await using server = await api.listen();
      const form = new FormData();
      const { weights, config } = tinyUpload();
      form.set("weights", new File([weights.content], weights.name));
      form.set("config", new File([config.content], config.name));
      const client = new AbortController();
      const request = fetch(`http://127.0.0.1:${server.port}/v1/checkpoints`, {
        method: "POST",
        body: form,
        signal: client.signal,
      });
      await started.promise;
      client.abort();
      await expect(request).rejects.toThrow();
      await until(async () => (await api.traces()).length === 0);
    }));
  await t.step("while it arrives", async () => {
    await using api = await TestApi.open();
    await using server = await api.listen();
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    const part = '--x\r\nContent-Disposition: form-data; name="weights"; filename="a"\r\n\r\n';
    const head = "POST /v1/checkpoints HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Length: 100000\r\n" +
      "Content-Type: multipart/form-data; boundary=x\r\n\r\n";
    await connection.write(new TextEncoder().encode(head + part + "0".repeat(1000)));
    await until(async () => (await api.traces()).length > 0);
    connection.close();
    await until(async () => (await api.traces()).length === 0);
  });
});

Deno.test("uploads of weights have limits: of bytes and of files", async () => {
  await using api = await TestApi.open({ weightsBytes: 20_000, weightsFiles: 2 });
  const { detail } = await problemOf(await api.importWeights(tinyUpload()), 413);
  expect(detail).toMatch(/at most 20000 bytes/);
  const file = { name: "a", content: "x" };
  const { errors } = await problemOf(await api.importWeights({ weights: [file, file, file] }), 422);
  expect(errors).toEqual([{ path: "weights", message: "must have at most 2 files" }]);
  expect(await api.traces()).toEqual([]);
});

Deno.test("a limited number of uploads of weights is stored at the same time", () =>
  withFolder(async (objects) => {
    let started = 0;
    const both = Promise.withResolvers<void>();
    const waiting = waitingStore(objects, () => ++started === 2 && both.resolve());
    await using api = await TestApi.open({ weightsUploads: 2 }, waiting);
    const client = new AbortController();
    const form = new FormData();
    const { weights, config } = tinyUpload();
    form.set("weights", new File([weights.content], weights.name));
    form.set("config", new File([config.content], config.name));
    const send = () => api.send("/v1/checkpoints", { method: "POST", body: form, signal: client.signal });
    const stored = [send(), send()];
    await both.promise;
    const third = await send();
    expect(third.headers.get("retry-after")).toBe("10");
    expect((await problemOf(third, 503)).detail).toMatch(/Too many uploads of weights/);
    client.abort();
    await Promise.allSettled(stored);
    expect(await api.traces()).toEqual([]);
    await problemOf(await api.importWeights({}, { name: "a slot is free" }), 422);
  }));

Deno.test("imports wait for each other, and a waiting one can be cancelled", () =>
  withFolder(async (objects) => {
    let puts = 0;
    const first = Promise.withResolvers<void>(), release = Promise.withResolvers<void>();
    const slow = withOverrides(objects, {
      async put(...args: Parameters<ObjectStore["put"]>) {
        puts++;
        first.resolve();
        await release.promise;
        return await objects.put(...args);
      },
    });
    await using api = await TestApi.open({ imports: 1 }, slow);
    const stored = [api.importWeights(tinyUpload())];
    await first.promise;
    const client = new AbortController();
    const form = new FormData();
    form.set("weights", new File(["{}"], "model.safetensors"));
    const cancelled = api.send("/v1/checkpoints", { method: "POST", body: form, signal: client.signal });
    stored.push(api.importWeights(tinyUpload()));
    await until(async () => (await Array.fromAsync(Deno.readDir(api.tempDir))).length === 3);
    client.abort();
    await (await cancelled).body?.cancel();
    expect(puts).toBe(1);
    release.resolve();
    for (const response of await Promise.all(stored)) {
      expect(response.status).toBe(201);
      await response.body?.cancel();
    }
  }));

Deno.test({
  name:
    "an import on S3 and its export have the same bytes, and nothing is left of one with a NaN at its end",
  ignore: await findVersitygw() === null,
  async fn() {
    await using server = (await startVersitygw())!;
    const objects = openStore({ url: `s3://${server.bucket}/a`, s3: server.access });
    await using api = await TestApi.open({}, objects), local = await TestApi.open();
    const parts = tinyWeights("unmask", { model: "mae" }, PRESETS.vit_tiny);
    const [{ id, sha256 }, expected] = await Promise.all(
      [api, local].map(async (api) => await (await api.importWeights(tinyUpload(parts))).json()),
    );
    expect(sha256).toBe(expected.sha256);
    const [bytes, other] = await Promise.all(
      ([[api, id], [local, expected.id]] as const).map(async ([api, id]) =>
        await (await api.send(`/v1/checkpoints/${id}/content?format=huggingface`)).bytes()
      ),
    );
    expect(Buffer.compare(bytes, other)).toBe(0);
    const before = await api.traces();
    const last = [...parts.tensors.keys()].sort().at(-1)!;
    (parts.tensors.get(last)!.data as Float32Array)[0] = NaN;
    const { detail } = await problemOf(await api.importWeights(tinyUpload(parts)), 422);
    expect(detail).toContain(`'${last}'`);
    expect(await api.traces()).toEqual(before);
  },
});

Deno.test("an import that does not fit on a disk is refused before it is written", async (t) => {
  await t.step("the disk of uploads", () =>
    withFullDisk(async (disk) => {
      await using api = await TestApi.open({}, undefined, undefined, undefined, `${disk}/uploads`);
      await Deno.mkdir(api.tempDir);
      await using server = await api.listen();
      const form = new FormData();
      form.set("weights", new File([new Uint8Array(2 ** 20)], "model.safetensors"));
      const response = await fetch(`http://127.0.0.1:${server.port}/v1/checkpoints`, {
        method: "POST",
        body: form,
      });
      expect(response.headers.get("retry-after")).toBe("30");
      expect((await problemOf(response, 503)).detail).toMatch(/The upload needs .* is free/);
      expect(await api.traces()).toEqual([]);
    }));
  await t.step("the disk of objects", () =>
    withFolder(async (objects) => {
      const full = withOverrides(objects, { freeBytes: () => Promise.resolve(1000) });
      await using api = await TestApi.open({}, full);
      expect((await problemOf(await api.importWeights(tinyUpload()), 503)).detail).toMatch(
        /The checkpoint needs/,
      );
      expect(await api.traces()).toEqual([]);
    }));
});
