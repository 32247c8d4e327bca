import { expect } from "expect";
import { IDEMPOTENCY_KEY_LENGTH, IDEMPOTENCY_MS } from "../../../jobs/store/creation/idempotency.ts";
import { IdempotencyConflictError } from "../../../jobs/store/store.ts";
import { allKeys, claimed, NO_OBJECTS, request, withStore } from "../fixtures.ts";

Deno.test("create: the job is queued with its request", () =>
  withStore(async ({ store, clock }) => {
    const body = request({ name: "first", metadata: { Team_Name: "blue" }, epochs: 3, seed: 7 });
    const { job, created } = await store.create(body);
    expect(created).toBe(true);
    expect(job).toMatchObject({
      kind: "pretrain",
      status: "queued",
      name: "first",
      metadata: { Team_Name: "blue" },
      createdAt: clock.text,
      startedAt: null,
      finishedAt: null,
      request: body,
      attempt: 0,
    });
    expect(job.id).toMatch(/^job_[0-9A-HJKMNP-TV-Z]{26}$/);
    expect(await store.get(job.id)).toEqual(job);
    expect((await store.events(job.id)).map(({ seq, message }) => [seq, message])).toEqual([[1, "Queued"]]);
  }));

Deno.test("create: ids sort in order of creation, even within a millisecond", () =>
  withStore(async ({ queued }) => {
    const ids: string[] = [];
    for (let i = 0; i < 200; i++) ids.push(await queued());
    expect(ids).toEqual([...new Set(ids)].sort());
  }));

Deno.test("get: an unknown job or checkpoint is null", () =>
  withStore(async ({ store }) => {
    expect(await store.get("job_none")).toBeNull();
    expect(await store.getCheckpoint("ckpt_none")).toBeNull();
    expect(await store.events("job_none")).toEqual([]);
  }));

Deno.test("create: a request that names a source job instead of a checkpoint is an error", () =>
  withStore(async ({ store, kv }) => {
    const body = request({ kind: "evaluate", job: "job_1" });
    await expect((async () => await store.create(body))()).rejects.toThrow(
      "must be replaced by a checkpoint first",
    );
    expect(await allKeys(kv)).toEqual([]);
  }));

Deno.test("idempotency: a repeated request returns the same job in its current state", () =>
  withStore(async ({ store, runner }) => {
    const options = { idempotencyKey: "key", fingerprint: "a" };
    const first = await store.create(request(), options);
    expect(await store.create(request(), options)).toEqual({ job: first.job, created: false });
    const { job } = await claimed(runner());
    expect(await store.create(request(), options)).toEqual({ job, created: false });
    expect((await store.list()).data).toHaveLength(1);
  }));

Deno.test("idempotency: the same key with another request is a conflict and creates nothing", () =>
  withStore(async ({ store }) => {
    await store.create(request(), { idempotencyKey: "key", fingerprint: "a" });
    const error = await store.create(request({ epochs: 2 }), { idempotencyKey: "key", fingerprint: "b" })
      .catch((error) => error);
    expect(error).toBeInstanceOf(IdempotencyConflictError);
    expect(error.message).toBe(
      "The idempotency key 'key' was used for a different request: choose another key",
    );
    expect((await store.counts()).queued).toBe(1);
  }));

Deno.test("idempotency: equal requests without a key or with different keys create separate jobs", () =>
  withStore(async ({ store }) => {
    const options = [{}, {}, { idempotencyKey: "a", fingerprint: "f" }, {
      idempotencyKey: "b",
      fingerprint: "f",
    }];
    for (const option of options) expect((await store.create(request(), option)).created).toBe(true);
    expect((await store.counts()).queued).toBe(4);
  }));

Deno.test("idempotency: concurrent requests with one key create one job", () =>
  withStore(async ({ store }) => {
    const options = { idempotencyKey: "key", fingerprint: "a" };
    const answers = await Promise.all(Array.from({ length: 30 }, () => store.create(request(), options)));
    expect(new Set(answers.map(({ job }) => job.id)).size).toBe(1);
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
    expect((await store.counts()).queued).toBe(1);
  }));

Deno.test("idempotency: a key expires after a day, and when its job is deleted", () =>
  withStore(async ({ store, clock }) => {
    const create = (fingerprint: string) => store.create(request(), { idempotencyKey: "key", fingerprint });
    const first = await create("a");
    clock.advance(IDEMPOTENCY_MS - 1);
    expect((await create("a")).job.id).toBe(first.job.id);
    clock.advance(1);
    const second = await create("b");
    expect(second.created).toBe(true);
    expect(second.job.id).not.toBe(first.job.id);
    await store.delete(second.job.id, NO_OBJECTS);
    expect((await create("c")).created).toBe(true);
  }));

Deno.test("idempotency: a key has 1 to 255 characters", () =>
  withStore(async ({ store }) => {
    const create = async (idempotencyKey: string) => await store.create(request(), { idempotencyKey });
    expect((await create("k".repeat(IDEMPOTENCY_KEY_LENGTH))).created).toBe(true);
    await expect(create("k".repeat(IDEMPOTENCY_KEY_LENGTH + 1))).rejects.toThrow(
      "An idempotency key must have 1 to 255 characters: this one has 256",
    );
    await expect(create("")).rejects.toThrow(RangeError);
  }));
