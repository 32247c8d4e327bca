import { expect } from "expect";
import { InvalidTransitionError, JobNotFoundError } from "../../../jobs/store/store.ts";
import { withStore } from "../fixtures.ts";
import { jobsOfEachStatus } from "../history.ts";

Deno.test("cancel: a queued job ends immediately and is not run", () =>
  withStore(async ({ store, clock, queued, runner }) => {
    const id = await queued();
    clock.advance(1000);
    const job = await store.cancel(id);
    expect(job).toMatchObject({ status: "cancelled", cancelRequestedAt: clock.text, finishedAt: clock.text });
    expect(await store.get(id)).toEqual(job);
    expect(await runner().claim()).toBeNull();
    expect((await store.events(id)).map(({ message }) => message)).toEqual(["Queued", "Cancelled"]);
  }));

Deno.test("cancel: a running job continues until its runner ends it, and a second cancel changes nothing", () =>
  withStore(async ({ store, clock, running }) => {
    const { id, claim } = await running();
    const cancelling = await store.cancel(id);
    expect(cancelling).toMatchObject({ status: "running", cancelRequestedAt: clock.text, finishedAt: null });
    clock.advance(1000);
    expect(await store.cancel(id)).toEqual(cancelling);
    await claim.finish({ type: "cancelled" });
    expect(await store.get(id)).toMatchObject({
      status: "cancelled",
      cancelRequestedAt: cancelling.cancelRequestedAt,
    });
    expect((await store.events(id)).map(({ message }) => message)).toEqual([
      "Queued",
      "Running",
      "Cancelling: the runner is stopping the run",
      "Cancelled",
    ]);
  }));

Deno.test("cancel: a finished job cannot be cancelled and does not change", () =>
  withStore(async (setting) => {
    const { store } = setting;
    const messages = { succeeded: "has succeeded", failed: "has failed", cancelled: "has been cancelled" };
    const jobs = await jobsOfEachStatus(setting);
    for (const [status, message] of Object.entries(messages)) {
      const job = jobs.get(`${status} pretrain`)!;
      const error = await store.cancel(job.id).catch((error) => error);
      expect(error).toBeInstanceOf(InvalidTransitionError);
      expect(error.message).toBe(`Cannot cancel a job that ${message}`);
      expect(await store.get(job.id)).toEqual(job);
    }
    await expect(store.cancel("job_none")).rejects.toThrow(JobNotFoundError);
    await expect(store.cancel("job_none")).rejects.toThrow("There is no job 'job_none'");
  }));

Deno.test("cancel: after a concurrent claim, the job is cancelled or its runner reads the request", async () => {
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
