import { expect } from "expect";
import { JobQueue } from "../../jobs/store/queue/queue.ts";
import { JobStore } from "../../jobs/store/store.ts";
import { uniform } from "../../model/random.ts";
import { checkpointOf, NO_OBJECTS, request } from "../jobs/fixtures.ts";
import { withCommit, withOverrides } from "../setup/overrides.ts";

/**
 * Returns a database whose commits fail at random, from a seed: some are not applied ("database is locked"), some are
 * applied but their answer is lost, and some are applied but reported as conflicts.
 */
function faulty(kv: Deno.Kv, seed: number): { kv: Deno.Kv; faults: () => Record<string, number> } {
  const faults = { notApplied: 0, answerLost: 0, falseConflict: 0 };
  let commits = 0;
  const commit = async (
    operation: Deno.AtomicOperation,
  ): Promise<Deno.KvCommitResult | Deno.KvCommitError> => {
    const [draw] = uniform({ seed, purpose: "faults", step: commits++ }, 1);
    if (draw < 0.1) {
      faults.notApplied++;
      throw new TypeError("database is locked");
    }
    const result = await operation.commit();
    if (draw < 0.2) {
      faults.answerLost++;
      throw new TypeError("error sending request: connection closed");
    }
    if (draw < 0.3 && result.ok) {
      faults.falseConflict++;
      return { ok: false };
    }
    return result;
  };
  const atomic = () => withCommit(kv.atomic(), commit);
  return { kv: withOverrides(kv, { atomic }), faults: () => faults };
}

const JOBS = 12, STEPS = 8;

for (const seed of [1, 2, 3]) {
  Deno.test(`no job is lost or run twice while three of ten commits fail (seed ${seed})`, async () => {
    const memory = await Deno.openKv(":memory:");
    const { kv, faults } = faulty(memory, seed);
    const store = new JobStore(kv);
    await store.upgrade();
    const created = await Promise.all(
      Array.from(
        { length: JOBS },
        (_, i) => store.create(request(), { idempotencyKey: `k${i}`, fingerprint: "f" }),
      ),
    );
    const ids = created.map(({ job }) => job.id);
    expect(new Set(ids).size).toBe(JOBS);
    const again = await store.create(request(), { idempotencyKey: "k0", fingerprint: "f" });
    expect(again).toMatchObject({ created: false, job: { id: ids[0] } });

    const runIds: string[] = [];
    const runner = async (name: string) => {
      const queue = new JobQueue(store, name);
      for (let claim = await queue.claim(); claim !== null; claim = await queue.claim()) {
        runIds.push(claim.job.id);
        for (let step = 1; step <= STEPS; step++) {
          await claim.record({ steps: [{ step, epoch: 0, loss: step, lr: 0.1 }] });
          await claim.heartbeat();
        }
        await claim.record({ checkpoint: checkpointOf(claim.job.id, { step: STEPS }) });
        await claim.finish({ type: "succeeded", result: { name } });
      }
    };
    await Promise.all(["a", "b", "c"].map(runner));

    expect(runIds.sort()).toEqual(ids.sort());
    const reader = new JobStore(memory);
    // A change whose answer was lost is counted once.
    expect(await reader.counts()).toMatchObject({ queued: 0, running: 0, succeeded: JOBS, failed: 0 });
    for (const id of ids) {
      expect(await reader.get(id)).toMatchObject({ status: "succeeded", attempt: 1 });
      expect((await reader.metrics(id)).steps.map((point) => point.loss)).toEqual(
        Array.from({ length: STEPS }, (_, i) => i + 1),
      );
      expect((await reader.listCheckpoints(id)).data.length).toBe(1);
      const statuses = (await reader.events(id)).filter(({ type }) => type === "status").map(({ data }) =>
        data.status
      );
      expect(statuses).toEqual(["queued", "running", "succeeded"]);
    }
    await Promise.all(ids.map((id) => store.delete(id, NO_OBJECTS)));
    expect(await reader.counts()).toMatchObject({ queued: 0, running: 0, succeeded: 0, failed: 0 });
    for (const count of Object.values(faults())) expect(count).toBeGreaterThan(5);
    memory.close();
  });
}
