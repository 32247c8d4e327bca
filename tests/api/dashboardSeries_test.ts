import { expect } from "expect";
import type { Claim } from "../../jobs/store/queue/claim.ts";
// @ts-types="./dashboardSeries.d.ts"
import { lossSeries } from "../../api/dashboard/static/series.js";
import { TestApi } from "./fixtures.ts";

/** Replaces the page's `fetch` by an application, and records the requested addresses. */
function serveFetch(api: TestApi): { paths: string[]; [Symbol.dispose](): void } {
  const real = globalThis.fetch, paths: string[] = [];
  globalThis.fetch = (path, init) => {
    paths.push(String(path));
    return api.send(String(path), init);
  };
  return { paths, [Symbol.dispose]: () => void (globalThis.fetch = real) };
}

const PER_EPOCH = 2;

async function train(claim: Claim, from: number, to: number): Promise<void> {
  for (let step = from; step <= to; step++) {
    const epoch = Math.floor((step - 1) / PER_EPOCH);
    await claim.record({
      steps: [{ step, epoch, loss: 1 / step, lr: 1 }],
      ...(step % PER_EPOCH === 0 ? { epoch: { epoch, step, loss: 1 / step, metrics: {} } } : {}),
    });
  }
}

Deno.test("the dashboard keeps the whole series and only requests the new part", async () => {
  await using api = await TestApi.open();
  using server = serveFetch(api);
  const { id, queue, claim } = await api.running();
  const refresh = lossSeries(id);
  for (const [total, last] of [[20_000, 5], [20_000, 8], [20_000, 8], [20_000, 31]]) {
    const { steps } = await refresh({ attempt: 1, progress: { total_steps: total } });
    const lastRead = steps.at(-1)?.step ?? 0;
    await train(claim, lastRead + 1, last);
    const after = await refresh({ attempt: 1, progress: { total_steps: total } });
    // Every second step, and the newest; every epoch.
    const expected = Array.from({ length: last }, (_, i) => i + 1).filter((step) => step % 2 === 0);
    expect(after.epochs.map(({ step }) => step)).toEqual(expected);
    expect(after.steps.map(({ step }) => step)).toEqual([...expected, ...(last % 2 === 1 ? [last] : [])]);
  }
  expect(server.paths.at(-1)).toBe(`/v1/jobs/${id}/metrics?every=2&after=8`);

  // A restarted run that begins at an earlier step replaces the series.
  await claim.finish({ type: "released" });
  const again = (await queue.claim())!;
  await again.rewind(4);
  const { steps, epochs } = await refresh({ attempt: 2, progress: { total_steps: 20_000 } });
  expect([steps.map(({ step }) => step), epochs.map(({ step }) => step)]).toEqual([[2, 4], [2, 4]]);
});
