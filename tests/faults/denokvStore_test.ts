import { expect } from "expect";
import { pause } from "../../data/backoff.ts";
import type { JobEvent } from "../../jobs/store/events/event.ts";
import { openDatabase } from "../../jobs/store/kv/open.ts";
import { JobStore } from "../../jobs/store/store.ts";
import { claimed, storeFixture } from "../jobs/fixtures.ts";
import { changeAtRandom, makeOld, recounted } from "../jobs/history.ts";
import { type Denokv, findDenokv, startDenokv } from "../setup/denokv.ts";

const program = await findDenokv();

/** Defines a test with a new database server. */
function onDenokv(name: string, test: (kv: Deno.Kv, server: Denokv) => Promise<void>): void {
  Deno.test({
    name: `denokv: ${name}`,
    ignore: program === null,
    async fn() {
      await using server = (await startDenokv())!;
      for (const [name, value] of Object.entries(server.env)) Deno.env.set(name, value);
      const kv = await openDatabase(server.url, { log: () => {} });
      try {
        await test(kv, server);
      } finally {
        kv.close();
      }
    },
  });
}

onDenokv(
  "counters equal the number of rows, even after three processes upgraded a database of an earlier version",
  async (kv) => {
    const fixture = storeFixture(kv), { store } = fixture;
    await changeAtRandom(fixture, 1, 80);
    await makeOld(kv);
    await Promise.all([
      ...[store, new JobStore(kv), new JobStore(kv)].map((store) => store.upgrade()),
      changeAtRandom(fixture, 2, 40),
    ]);
    await changeAtRandom(fixture, 3, 40);
    const counts = await store.counts();
    expect(counts).toEqual(await recounted(kv));
    expect(Object.values(counts).reduce((sum, count) => sum + count)).toBeGreaterThan(10);
    expect((await store.list({ limit: 30, status: "queued" })).data.length).toBe(Math.min(30, counts.queued));
  },
);

onDenokv("followers miss no event while the server is killed and restarted", async (kv, server) => {
  const { store, queued, runner } = storeFixture(kv);
  const id = await queued(), queue = runner(), claim = await claimed(queue);
  const follow = async (after: number) => await Array.fromAsync(store.follow(id, after));
  const followers: Promise<JobEvent[]>[] = [follow(0), follow(0), follow(1)], end = store.finished(id);
  await claim.record({ logs: [{ level: "info", message: "before" }] });
  await server.signal("SIGKILL");
  await expect(store.get(id)).rejects.toThrow("unavailable");
  await server.restart();
  while (await store.get(id).catch(() => null) === null) {
    await pause(50);
  }
  await claim.finish({ type: "succeeded", result: {} });
  expect((await end)!.status).toBe("succeeded");
  const [first, second, third] = await Promise.all(followers);
  expect(first.map(({ message }) => message)).toEqual(["Queued", "Running", "before", "Succeeded"]);
  expect([second, third]).toEqual([first, first.slice(1)]);
});
