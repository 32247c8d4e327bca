import { expect } from "expect";
import { DatasetError } from "../../../data/datasets/dataset.ts";
import { IDEMPOTENCY_KEY_LENGTH, IDEMPOTENCY_MS } from "../../../jobs/store/creation/idempotency.ts";
import type { Job, JobStatus } from "../../../jobs/job.ts";
import type { JobKind } from "../../../jobs/requests/schemas.ts";
import {
  CheckpointInUseError,
  CheckpointNotFoundError,
  IdempotencyConflictError,
  InvalidTransitionError,
  JobNotFoundError,
  JobStore,
  JobUnfinishedError,
} from "../../../jobs/store/store.ts";
import { checkpointOf, claimed, NO_OBJECTS, request, type Setting, withStore } from "../fixtures.ts";

/** Every row that is left in the database; counters that are back at zero are not among them. */
async function rows(kv: Deno.Kv): Promise<Deno.KvKey[]> {
  const found: Deno.KvKey[] = [];
  for await (const { key, value } of kv.list({ prefix: [] })) {
    if (!(value instanceof Deno.KvU64 && value.value === 0n)) found.push(key);
  }
  return found;
}

/** Creates a job and has it run to its end with checkpoints, whose ids are given back. */
async function trained(
  { store, running }: Setting,
  count = 1,
): Promise<{ id: string; checkpoints: string[] }> {
  const { id, claim } = await running();
  const checkpoints: string[] = [];
  for (let step = 1; step <= count; step++) {
    const checkpoint = checkpointOf(id, { step, final: step === count });
    await claim.record({
      steps: [{ step, epoch: step - 1, loss: 1 / step, lr: 1e-3 }],
      epoch: { epoch: step - 1, step, loss: 1 / step, metrics: {} },
      checkpoint,
    });
    checkpoints.push(checkpoint.id);
  }
  await claim.finish({ type: "succeeded", result: {} });
  expect((await store.get(id))!.latestCheckpoint).toBe(checkpoints.at(-1));
  return { id, checkpoints };
}

const finetune = (checkpoint: string) => ({ kind: "finetune", checkpoint });

Deno.test("create: a job is queued with what was asked for", () =>
  withStore(async ({ store, clock }) => {
    const asked = request({ name: "first", metadata: { Team_Name: "blue" }, epochs: 3, seed: 7 });
    const { job, created } = await store.create(asked);
    expect(created).toBe(true);
    expect(job).toMatchObject({
      kind: "pretrain",
      status: "queued",
      name: "first",
      metadata: { Team_Name: "blue" },
      createdAt: clock.text,
      startedAt: null,
      finishedAt: null,
      request: asked,
      attempt: 0,
    });
    expect(job.id).toMatch(/^job_[0-9A-HJKMNP-TV-Z]{26}$/);
    expect(await store.get(job.id)).toEqual(job);
    expect((await store.events(job.id)).map(({ seq, message }) => [seq, message])).toEqual([[1, "Queued"]]);
  }));

Deno.test("create: name and metadata given beside the request count before its own", () =>
  withStore(async ({ store }) => {
    const options = { name: "other", metadata: { a: "b" } };
    const { job } = await store.create(request({ name: "own", metadata: { c: "d" } }), options);
    expect(job).toMatchObject(options);
  }));

Deno.test("create: ids sort by the order of creation, within a millisecond too", () =>
  withStore(async ({ queued }) => {
    const ids: string[] = [];
    for (let i = 0; i < 200; i++) ids.push(await queued());
    expect(ids).toEqual([...new Set(ids)].sort());
  }));

Deno.test("create: a job that is not there is null, not an error", () =>
  withStore(async ({ store }) => {
    expect(await store.get("job_none")).toBeNull();
    expect(await store.getCheckpoint("ckpt_none")).toBeNull();
    expect(await store.events("job_none")).toEqual([]);
  }));

Deno.test("create: a request that still names a job, not its checkpoint, is a mistake of the caller", () =>
  withStore(async ({ store, kv }) => {
    const asked = request({ kind: "evaluate", job: "job_1" });
    await expect((async () => await store.create(asked))()).rejects.toThrow(
      "must be replaced by a checkpoint first",
    );
    expect(await rows(kv)).toEqual([]);
  }));

Deno.test("idempotency: the same key and request is one job, whatever has become of it", () =>
  withStore(async ({ store, runner }) => {
    const options = { idempotencyKey: "key", fingerprint: "a" };
    const first = await store.create(request(), options);
    expect(await store.create(request(), options)).toEqual({ job: first.job, created: false });
    const { job } = await claimed(runner());
    expect(await store.create(request(), options)).toEqual({ job, created: false });
    expect((await store.list()).data).toHaveLength(1);
  }));

Deno.test("idempotency: the same key for another request is refused and creates nothing", () =>
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

Deno.test("idempotency: without a key, and with other keys, equal requests are jobs of their own", () =>
  withStore(async ({ store }) => {
    const options = [{}, {}, { idempotencyKey: "a", fingerprint: "f" }, {
      idempotencyKey: "b",
      fingerprint: "f",
    }];
    for (const each of options) expect((await store.create(request(), each)).created).toBe(true);
    expect((await store.counts()).queued).toBe(4);
  }));

Deno.test("idempotency: many at once with one key create one job", () =>
  withStore(async ({ store }) => {
    const options = { idempotencyKey: "key", fingerprint: "a" };
    const answers = await Promise.all(Array.from({ length: 30 }, () => store.create(request(), options)));
    expect(new Set(answers.map(({ job }) => job.id)).size).toBe(1);
    expect(answers.filter(({ created }) => created)).toHaveLength(1);
    expect((await store.counts()).queued).toBe(1);
  }));

Deno.test("idempotency: a key is forgotten after a day, and when its job is deleted", () =>
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

Deno.test("idempotency: the length of a key is bounded", () =>
  withStore(async ({ store }) => {
    const create = async (idempotencyKey: string) => await store.create(request(), { idempotencyKey });
    expect((await create("k".repeat(IDEMPOTENCY_KEY_LENGTH))).created).toBe(true);
    await expect(create("k".repeat(IDEMPOTENCY_KEY_LENGTH + 1))).rejects.toThrow(
      "An idempotency key must have 1 to 255 characters: this one has 256",
    );
    await expect(create("")).rejects.toThrow(RangeError);
  }));

/** Jobs of two kinds in every state that a job can reach, by state and kind. */
async function oneOfEach({ store, runner }: Setting): Promise<Map<string, Job>> {
  const queue = runner();
  const ends = [
    { type: "succeeded", result: {} },
    { type: "failed", error: { code: "x", message: "x" } },
    { type: "cancelled" },
  ] as const;
  const jobs: string[] = [];
  for (const end of [...ends, "running", "queued"] as const) {
    for (const kind of ["pretrain", "linear_probe"]) {
      const model = kind === "pretrain" ? {} : { model: "mnist" };
      jobs.push((await store.create(request({ kind, ...model }))).job.id);
      if (end === "queued") continue;
      const claim = await claimed(queue);
      if (end !== "running") await claim.finish(end);
    }
  }
  const all = await Promise.all(jobs.map(async (id) => (await store.get(id))!));
  return new Map(all.map((job) => [`${job.status} ${job.kind}`, job]));
}

Deno.test("list: newest first, by state, by kind and by both", async (t) => {
  await withStore(async (setting) => {
    const { store } = setting;
    const jobs = [...(await oneOfEach(setting)).values()].reverse();
    const statuses = [undefined, "queued", "running", "succeeded", "failed", "cancelled"] as const;
    for (const status of statuses) {
      for (const kind of [undefined, "pretrain", "linear_probe", "evaluate"] as (JobKind | undefined)[]) {
        await t.step(`${status ?? "any"} ${kind ?? "of any kind"}`, async () => {
          const page = await store.list({ status, kind });
          expect(page.data).toEqual(
            jobs.filter((job) => (!status || job.status === status) && (!kind || job.kind === kind)),
          );
          expect(page).toMatchObject({ hasMore: false, next: null });
        });
      }
    }
  });
});

Deno.test("list: counts tells how many are in every state", () =>
  withStore(async (setting) => {
    const none = { queued: 0, running: 0, succeeded: 0, failed: 0, cancelled: 0 };
    expect(await setting.store.counts()).toEqual(none);
    await oneOfEach(setting);
    await setting.queued();
    expect(await setting.store.counts())
      .toEqual({ queued: 3, running: 2, succeeded: 2, failed: 2, cancelled: 2 });
  }));

Deno.test("list: pages of any size give every job once", async (t) => {
  await withStore(async ({ store, queued }) => {
    const ids: string[] = [];
    for (let i = 0; i < 12; i++) ids.unshift(await queued());
    for (const limit of [1, 5, 11, 12, 13]) {
      await t.step(`${limit} a page`, async () => {
        const found: string[] = [], sizes: number[] = [];
        for (let after: string | undefined, more = true; more;) {
          const { data, hasMore, next } = await store.list({ status: "queued", limit, after });
          expect(next).toBe(hasMore ? data.at(-1)!.id : null);
          found.push(...data.map(({ id }) => id));
          sizes.push(data.length);
          more = hasMore;
          after = next ?? undefined;
        }
        expect(found).toEqual(ids);
        expect(sizes).toHaveLength(Math.ceil(12 / limit));
      });
    }
  });
});

Deno.test("list: twenty a page unless told otherwise, and never more than a thousand", () =>
  withStore(async ({ store, queued }) => {
    for (let i = 0; i < 21; i++) await queued();
    const page = await store.list();
    expect(page.data).toHaveLength(20);
    expect(page.hasMore).toBe(true);
    for (const limit of [0, 1001, 2.5, NaN]) {
      const error = await (async () => await store.list({ limit }))().catch((error) => error);
      expect(error).toBeInstanceOf(RangeError);
      expect(error.message).toBe(`limit must be a whole number from 1 to 1000: current value is ${limit}`);
    }
  }));

Deno.test("list: what comes, ends or goes between two pages neither repeats nor hides another job", () =>
  withStore(async ({ store, queued, runner }) => {
    const ids: string[] = [];
    for (let i = 0; i < 9; i++) ids.unshift(await queued());
    const first = await store.list({ limit: 3 });
    await queued(); // newer than the page: not seen by going on
    await store.delete(ids[2], NO_OBJECTS); // the very job that the next page starts after
    await store.delete(ids[4], NO_OBJECTS);
    await claimed(runner()); // the oldest
    const second = await store.list({ limit: 3, after: first.next! });
    const third = await store.list({ limit: 3, after: second.next! });
    const found = [first, second, third].flatMap(({ data }) => data.map(({ id }) => id));
    expect(found).toEqual(ids.filter((id) => id !== ids[4]));
    expect(third.data.at(-1)).toMatchObject({ id: ids[8], status: "running" });
    expect(third.hasMore).toBe(false);
  }));

Deno.test("list: a page of a state holds jobs of that state alone, however they change meanwhile", () =>
  withStore(async ({ store, queued, runner }) => {
    const ids: string[] = [];
    for (let i = 0; i < 60; i++) ids.push(await queued());
    let done = false;
    const changing = (async () => {
      const queue = runner();
      for (let claim = await queue.claim(); claim !== null; claim = await queue.claim()) {
        await claim.finish({ type: "succeeded", result: {} });
      }
      done = true;
    })();
    const statuses: JobStatus[] = ["queued", "running", "succeeded"];
    do {
      for (const status of statuses) {
        const { data } = await store.list({ status, limit: 1000 });
        expect(data.every((job) => job.status === status)).toBe(true);
        expect(new Set(data.map(({ id }) => id)).size).toBe(data.length);
      }
      expect((await store.list({ limit: 1000 })).data).toHaveLength(60);
    } while (!done);
    await changing;
    expect((await store.list({ status: "succeeded", limit: 1000 })).data.map(({ id }) => id)).toEqual(
      ids.reverse(),
    );
  }));

Deno.test("cancel: a queued job ends at once and is not run", () =>
  withStore(async ({ store, clock, queued, runner }) => {
    const id = await queued();
    clock.advance(1000);
    const job = await store.cancel(id);
    expect(job).toMatchObject({ status: "cancelled", cancelRequestedAt: clock.text, finishedAt: clock.text });
    expect(await store.get(id)).toEqual(job);
    expect(await runner().claim()).toBeNull();
    expect((await store.events(id)).map(({ message }) => message)).toEqual(["Queued", "Cancelled"]);
  }));

Deno.test("cancel: a running job goes on until its runner hears of it; asking again changes nothing", () =>
  withStore(async ({ store, clock, running }) => {
    const { id, claim } = await running();
    const asked = await store.cancel(id);
    expect(asked).toMatchObject({ status: "running", cancelRequestedAt: clock.text, finishedAt: null });
    clock.advance(1000);
    expect(await store.cancel(id)).toEqual(asked);
    await claim.finish({ type: "cancelled" });
    expect(await store.get(id)).toMatchObject({
      status: "cancelled",
      cancelRequestedAt: asked.cancelRequestedAt,
    });
    expect((await store.events(id)).map(({ message }) => message)).toEqual([
      "Queued",
      "Running",
      "Cancelling: the runner is stopping the run",
      "Cancelled",
    ]);
  }));

Deno.test("cancel: a job that has ended is told so, and stays as it is", () =>
  withStore(async (setting) => {
    const { store } = setting;
    const says = { succeeded: "has succeeded", failed: "has failed", cancelled: "has been cancelled" };
    const jobs = await oneOfEach(setting);
    for (const [status, words] of Object.entries(says)) {
      const job = jobs.get(`${status} pretrain`)!;
      const error = await store.cancel(job.id).catch((error) => error);
      expect(error).toBeInstanceOf(InvalidTransitionError);
      expect(error.message).toBe(`Cannot cancel a job that ${words}`);
      expect(await store.get(job.id)).toEqual(job);
    }
    await expect(store.cancel("job_none")).rejects.toThrow(JobNotFoundError);
    await expect(store.cancel("job_none")).rejects.toThrow("There is no job 'job_none'");
  }));

Deno.test("cancel: of a cancel and a claim at the same moment, the job is either cancelled or told to its runner", async () => {
  for (let i = 0; i < 20; i++) {
    await withStore(async ({ store, queued, runner }) => {
      const id = await queued(), queue = runner();
      const [job, claim] = await Promise.all([store.cancel(id), queue.claim()]);
      expect(job.cancelRequestedAt).not.toBeNull();
      if (claim === null) expect((await store.get(id))!.status).toBe("cancelled");
      else expect(await claim.heartbeat()).toEqual({ cancelRequested: true });
    });
  }
});

Deno.test("delete: nothing of a finished job is left, and its objects are named", () =>
  withStore(async (setting) => {
    const { store, kv } = setting;
    const { id, checkpoints } = await trained(setting, 3);
    const stateless = await setting.running();
    const bare = checkpointOf(stateless.id, { stateKey: null });
    await stateless.claim.record({ checkpoint: bare });
    await stateless.claim.finish({ type: "cancelled" });

    await store.delete(id, NO_OBJECTS);
    expect(await store.get(id)).toBeNull();
    expect(await store.events(id)).toEqual([]);
    expect(await store.metrics(id)).toEqual({ steps: [], epochs: [], next: null });
    expect((await store.listCheckpoints(id)).data).toEqual([]);
    for (const checkpoint of checkpoints) expect(await store.getCheckpoint(checkpoint)).toBeNull();
    expect((await store.list()).data.map((job) => job.id)).toEqual([stateless.id]);
    await store.delete(stateless.id, NO_OBJECTS);
    expect(await rows(kv)).toEqual([]);
  }));

Deno.test("delete: a queued job goes at once; a running one must be cancelled first", () =>
  withStore(async ({ store, kv, queued, running }) => {
    const { id, queue, claim } = await running();
    const waiting = await queued();
    await store.delete(waiting, NO_OBJECTS);
    expect(await queue.claim()).toBeNull();

    const error = await store.delete(id, NO_OBJECTS).catch((error) => error);
    expect(error).toBeInstanceOf(JobUnfinishedError);
    expect(error.message).toBe("Cannot delete a job that is running: cancel it first");
    expect((await store.get(id))!.status).toBe("running");
    await store.cancel(id);
    await claim.finish({ type: "cancelled" });
    await store.delete(id, NO_OBJECTS);
    expect(await rows(kv)).toEqual([]);
  }));

Deno.test("delete: a job that is not there, or not there any more", () =>
  withStore(async ({ store, queued }) => {
    const id = await queued();
    await store.delete(id, NO_OBJECTS);
    for (const gone of [id, "job_none"]) {
      await expect(store.delete(gone, NO_OBJECTS)).rejects.toThrow(JobNotFoundError);
    }
  }));

Deno.test("delete: a deletion cut off midway is hidden from readers and finished by the next", () =>
  withStore(async (setting) => {
    const { kv, store } = setting;
    const { id, checkpoints } = await trained(setting, 2);
    let commits = 0;
    const failing = new Proxy(kv, {
      get(target, name) {
        if (name !== "atomic") return (target[name as keyof Deno.Kv] as () => unknown).bind(target);
        return () => {
          if (++commits > 1) throw new TypeError("the process was killed");
          return target.atomic();
        };
      },
    });
    await expect(new JobStore(failing).delete(id, NO_OBJECTS)).rejects.toThrow("the process was killed");
    expect(await store.get(id)).toBeNull();
    expect((await store.list()).data).toEqual([]);
    await expect(store.create(request(finetune(checkpoints[0])))).rejects.toThrow(CheckpointNotFoundError);
    await store.delete(id, NO_OBJECTS);
    expect(await rows(kv)).toEqual([]);
  }));

Deno.test("delete: a job with more events and checkpoints than go in a commit goes whole", () =>
  withStore(async ({ store, kv, running }) => {
    const { id, claim } = await running({ keep: { last: 1000 } });
    const info = "info" as const;
    for (let part = 0; part < 6; part++) {
      await claim.record({
        logs: Array.from({ length: 200 }, (_, i) => ({ level: info, message: `${i}` })),
      });
    }
    for (let i = 0; i < 520; i++) await claim.record({ checkpoint: checkpointOf(id) });
    await claim.finish({ type: "succeeded", result: {} });
    await store.delete(id, NO_OBJECTS);
    expect(await rows(kv)).toEqual([]);
  }));

Deno.test("start: a job from a checkpoint holds it until the job is finished or deleted", async (t) => {
  const endings: Record<string, (setting: Setting, id: string) => Promise<unknown>> = {
    succeeded: async ({ runner }) => {
      const queue = runner();
      await (await claimed(queue)).finish({ type: "succeeded", result: {} });
    },
    "cancelled in the queue": ({ store }, id) => store.cancel(id),
    "deleted from the queue": ({ store }, id) => store.delete(id, NO_OBJECTS),
    "lost by its runner while being cancelled": async ({ store, runner, clock }, id) => {
      await claimed(runner());
      await store.cancel(id);
      clock.advance(60_000);
      await runner().reap();
    },
  };
  for (const [ending, end] of Object.entries(endings)) {
    await t.step(ending, () =>
      withStore(async (setting) => {
        const { store, queued } = setting;
        const source = await trained(setting, 2);
        const user = await queued(finetune(source.checkpoints[0]));
        const error = await store.delete(source.id, NO_OBJECTS).catch((error) => error);
        expect(error).toBeInstanceOf(CheckpointInUseError);
        expect(error.message).toBe(
          `Cannot delete checkpoint '${
            source.checkpoints[0]
          }': job '${user}' starts from it and is not finished`,
        );
        expect(await store.getCheckpoint(source.checkpoints[0])).not.toBeNull();
        await end(setting, user);
        await store.delete(source.id, NO_OBJECTS);
      }));
  }
});

Deno.test("start: a running job, handed back and claimed again, holds its checkpoint all the while", () =>
  withStore(async (setting) => {
    const { store, queued, runner } = setting;
    const source = await trained(setting);
    await queued(finetune(source.checkpoints[0]));
    const queue = runner();
    for (let run = 0; run < 2; run++) {
      const claim = await claimed(queue);
      await expect(store.delete(source.id, NO_OBJECTS)).rejects.toThrow(CheckpointInUseError);
      await claim.finish({ type: "released" });
      await expect(store.delete(source.id, NO_OBJECTS)).rejects.toThrow(CheckpointInUseError);
    }
  }));

Deno.test("start: a checkpoint that is not there, or was deleted, cannot be started from", () =>
  withStore(async (setting) => {
    const { store } = setting;
    const { id, checkpoints } = await trained(setting);
    await store.delete(id, NO_OBJECTS);
    for (const gone of [checkpoints[0], "ckpt_none"]) {
      const error = await store.create(request(finetune(gone))).catch((error) => error);
      expect(error).toBeInstanceOf(CheckpointNotFoundError);
      expect(error.message).toBe(`There is no checkpoint '${gone}'`);
    }
    expect((await store.list()).data).toEqual([]);
  }));

Deno.test("start: of a start and a deletion at the same moment, one wins and the other is told", async () => {
  for (let i = 0; i < 20; i++) {
    await withStore(async (setting) => {
      const { store } = setting;
      const { id, checkpoints } = await trained(setting);
      const [started, deleted] = await Promise.allSettled([
        store.create(request(finetune(checkpoints[0]))),
        store.delete(id, NO_OBJECTS),
      ]);
      expect([started.status, deleted.status].sort()).toEqual(["fulfilled", "rejected"]);
      if (started.status === "rejected") expect(started.reason).toBeInstanceOf(CheckpointNotFoundError);
      if (deleted.status === "rejected") expect(deleted.reason).toBeInstanceOf(CheckpointInUseError);
      expect(await store.getCheckpoint(checkpoints[0]) === null).toBe(deleted.status === "fulfilled");
    });
  }
});

Deno.test("checkpoints: a job's, newest first, in pages; another's are not among them", () =>
  withStore(async (setting) => {
    const { store, clock } = setting;
    await trained(setting, 2);
    const { id, checkpoints } = await trained(setting, 5);
    await trained(setting, 2);
    const newest = checkpoints.toReversed();
    const all = await store.listCheckpoints(id);
    expect(all).toMatchObject({ hasMore: false, next: null });
    expect(all.data.map(({ id }) => id)).toEqual(newest);
    expect(all.data[0]).toEqual({
      ...checkpointOf(id, { id: newest[0], step: 5, final: true }),
      createdAt: clock.text,
    });
    expect(await store.getCheckpoint(newest[0])).toEqual(all.data[0]);
    const first = await store.listCheckpoints(id, { limit: 2 });
    expect(first).toMatchObject({ hasMore: true, next: newest[1] });
    const rest = await store.listCheckpoints(id, { limit: 3, after: first.next! });
    expect(rest).toMatchObject({ hasMore: false, next: null });
    expect([...first.data, ...rest.data]).toEqual(all.data);
    expect((await store.listCheckpoints("job_none")).data).toEqual([]);
    await expect((async () => await store.listCheckpoints(id, { limit: 0 }))()).rejects.toThrow(RangeError);
  }));

Deno.test("usesDataset: finds a job that waits or runs, and no job that has ended", () =>
  withStore(async ({ store, queued, runner }) => {
    await queued();
    expect(await store.usesDataset("ds_1")).toBeNull();
    const queue = runner();
    await (await claimed(queue)).finish({ type: "released" });
    const id = await queued({ dataset: { id: "ds_1" } });
    expect((await store.usesDataset("ds_1"))!.id).toBe(id);
    await claimed(queue);
    const claim = await claimed(queue);
    expect(await store.usesDataset("ds_1")).toMatchObject({ id, status: "running" });
    expect(await store.usesDataset("ds_2")).toBeNull();
    await claim.finish({ type: "succeeded", result: {} });
    expect(await store.usesDataset("ds_1")).toBeNull();
  }));

Deno.test("usesDataset: does not overlook a job that is claimed or handed back while it looks", async (t) => {
  for (const before of ["queued", "running"] as const) {
    await t.step(`${before} at first`, () =>
      withStore(async ({ kv, clock, queued, runner }) => {
        const id = await queued({ dataset: "ds_1" });
        const queue = runner();
        const claim = before === "running" ? await claimed(queue) : null;
        /** Lists of jobs are read as ever, but after the first the job changes its state. */
        let lists = 0;
        const moving = new Proxy(kv, {
          get(target, name) {
            if (name !== "list") return (target[name as keyof Deno.Kv] as () => unknown).bind(target);
            return async function* (selector: Deno.KvListSelector, options?: Deno.KvListOptions) {
              yield* target.list(selector, options);
              if (++lists > 1) return;
              if (claim) await claim.finish({ type: "released" });
              else await claimed(queue);
            };
          },
        });
        expect(await new JobStore(moving, { now: clock.now }).usesDataset("ds_1")).toMatchObject({ id });
      }));
  }
});

Deno.test("events: pages in order, from after a number", () =>
  withStore(async ({ store, running }) => {
    const { id, claim } = await running();
    for (let i = 0; i < 8; i++) await claim.record({ logs: [{ level: "info", message: `${i}` }] });
    const all = await store.events(id);
    expect(all.map(({ seq }) => seq)).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
    expect(await store.events(id, { after: 4, limit: 3 })).toEqual(all.slice(4, 7));
    expect(await store.events(id, { after: 10 })).toEqual([]);
    for (const limit of [0, 1001]) {
      const read = async () => await store.events(id, { limit });
      await expect(read()).rejects.toThrow(
        `limit must be a whole number from 1 to 1000: current value is ${limit}`,
      );
    }
  }));

Deno.test("follow: tells of everything in order as it comes, and ends with the job", () =>
  withStore(async ({ store, queued, runner }) => {
    const id = await queued();
    const told: string[] = [];
    let finish: Promise<unknown> | undefined;
    for await (const { seq, message } of store.follow(id)) {
      told.push(`${seq} ${message}`);
      // Each thing happens once the one before was heard of.
      if (message === "Queued") {
        finish = (async () => {
          const queue = runner(), claim = await claimed(queue);
          await claim.record({ logs: [{ level: "info", message: "one" }] });
          await claim.record({ logs: [{ level: "info", message: "two" }] });
          await claim.finish({ type: "succeeded", result: {} });
        })();
      }
    }
    await finish;
    expect(told).toEqual(["1 Queued", "2 Running", "3 one", "4 two", "5 Succeeded"]);
  }));

Deno.test("follow: of a finished job, what is after a number, and then the end", () =>
  withStore(async (setting) => {
    const { store } = setting;
    const { id } = await trained(setting, 60);
    const all = await store.events(id, { limit: 1000 });
    expect(all.length).toBeGreaterThan(100);
    for (const after of [0, 1, 50, all.length - 1, all.length, all.length + 5]) {
      expect(await Array.fromAsync(store.follow(id, after))).toEqual(all.slice(after));
    }
  }));

Deno.test("follow: ends when the reader goes, when the job is deleted, and when there is none", () =>
  withStore(async ({ store, queued }) => {
    expect(await Array.fromAsync(store.follow("job_none"))).toEqual([]);

    const aborted: string[] = [], reader = new AbortController();
    for await (const { message } of store.follow(await queued(), 0, reader.signal)) {
      aborted.push(message);
      reader.abort();
    }
    expect(aborted).toEqual(["Queued"]);

    const id = await queued(), told: string[] = [];
    for await (const { message } of store.follow(id)) {
      told.push(message);
      await store.delete(id, NO_OBJECTS);
    }
    expect(told).toEqual(["Queued"]);
  }));

Deno.test("datasets: if a new job and a deletion race, one succeeds and the other is refused", async () => {
  for (let i = 0; i < 20; i++) {
    await withStore(async ({ store }) => {
      await store.upgrade();
      const create = () => store.create(request({ dataset: "ds_1" }));
      const remove = () => store.beginDatasetDeletion("ds_1");
      const [created, user] = i % 2 === 0
        ? await Promise.allSettled([create(), remove()])
        : (await Promise.allSettled([remove(), create()])).reverse();
      const isFree = user.status === "fulfilled" && user.value === null;
      if (created.status === "rejected") {
        expect(created.reason).toBeInstanceOf(DatasetError);
        expect(created.reason.field).toBe("dataset");
      }
      expect(created.status).toBe(isFree ? "rejected" : "fulfilled");
      expect((await store.counts()).queued).toBe(isFree ? 0 : 1);
    });
  }
});

Deno.test("datasets: after a failed deletion, jobs are accepted again at once or after a minute", () =>
  withStore(async ({ store, clock, queued }) => {
    const id = await queued({ dataset: "ds_1" });
    expect((await store.beginDatasetDeletion("ds_1"))!.id).toBe(id);
    await store.cancel(await queued({ dataset: "ds_1" }));
    await store.cancel(id);
    expect(await store.beginDatasetDeletion("ds_1")).toBeNull();
    await expect(queued({ dataset: "ds_1" })).rejects.toThrow("'ds_1' is being deleted");
    await queued({ dataset: "ds_2" });
    clock.advance(59_999);
    await expect(queued({ dataset: "ds_1" })).rejects.toBeInstanceOf(DatasetError);
    clock.advance(1);
    await queued({ dataset: "ds_1" });
  }));
