/**
 * A database, object storage and a runner, for tests that stop runs.
 *
 * @module
 */
import { expect } from "expect";
import { openStore } from "../../../data/objects/open.ts";
import type { ObjectStore } from "../../../data/objects/store.ts";
import type { Checkpoint, Job } from "../../../jobs/job.ts";
import { Runner } from "../../../jobs/runner/runner.ts";
import { JobStore } from "../../../jobs/store/store.ts";

/** A database, object storage and a runner in a folder. */
export class Installation implements AsyncDisposable {
  private constructor(readonly folder: string, readonly jobs: JobStore) {}

  /** Opens the installation in a folder. */
  static async open(folder: string): Promise<Installation> {
    return new Installation(folder, new JobStore(await Deno.openKv(`${folder}/kv.sqlite3`)));
  }

  get objects(): ObjectStore {
    return openStore({ url: `file:${this.folder}/objects` });
  }

  /** Returns the path of an object. */
  path(key: string): string {
    return `${this.folder}/objects/${key}`;
  }

  /** Runs a job until it fulfils a condition, and stops the runner. */
  async until(id: string, condition: (job: Job) => boolean): Promise<Job> {
    const runner = new Runner({
      jobs: this.jobs,
      storage: { url: `file:${this.folder}/objects` },
      pollMs: 20,
      log: () => {},
    });
    runner.start();
    for await (const _ of this.jobs.follow(id)) if (condition((await this.jobs.get(id))!)) break;
    await runner.stop();
    return (await this.jobs.get(id))!;
  }

  /** Returns the checkpoints of a job, the newest first. */
  async checkpoints(id: string): Promise<Checkpoint[]> {
    const { data } = await this.jobs.listCheckpoints(id, { limit: 1000 });
    return [...data].sort((a, b) => b.step - a.step);
  }

  /** Returns the results of a finished run. */
  async outcome(id: string) {
    const job = (await this.jobs.get(id))!;
    expect(job).toMatchObject({ status: "succeeded" });
    const { sha256, stateSha256, step } = (await this.jobs.getCheckpoint(job.latestCheckpoint!))!;
    const { steps, epochs } = await this.jobs.metrics(id);
    return { sha256, stateSha256, step, steps, epochs, loss: job.result!.loss };
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.jobs.kv.close();
    return Promise.resolve();
  }
}
