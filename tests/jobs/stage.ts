/**
 * Jobs on real runners, with a database in memory and a folder for objects.
 *
 * @module
 */
import type { Job } from "../../jobs/job.ts";
import { Runner, type RunnerOptions } from "../../jobs/runner/runner.ts";
import { JobStore } from "../../jobs/store/store.ts";
import { isFinished } from "../../jobs/transitions.ts";
import { request } from "./fixtures.ts";

/** Jobs that play a script on real runners. */
export class Stage implements AsyncDisposable {
  readonly said: string[] = [];
  readonly #runners: Runner[] = [];
  private constructor(readonly jobs: JobStore, readonly folder: string) {}

  static async open(options: { now?: () => number; notifiesReady?: boolean } = {}): Promise<Stage> {
    return await Stage.on(new JobStore(await Deno.openKv(":memory:"), options));
  }

  static async on(jobs: JobStore): Promise<Stage> {
    return new Stage(jobs, await Deno.makeTempDir());
  }

  runner(options: Partial<RunnerOptions> = {}): Runner {
    const runner = new Runner({
      jobs: this.jobs,
      storage: { url: `file:${this.folder}` },
      workerUrl: new URL("./scriptedWorker.ts", import.meta.url),
      pollMs: 20,
      log: (message, error) => this.said.push(error === undefined ? message : `${message}: ${error}`),
      ...options,
    });
    runner.start();
    this.#runners.push(runner);
    return runner;
  }

  async job(script: string, metadata: Record<string, string> = {}): Promise<string> {
    return (await this.jobs.create(request({ metadata: { script, ...metadata } }))).job.id;
  }

  /** Waits until the job fulfils a condition. @returns the job */
  async when(id: string, fits: (job: Job) => boolean): Promise<Job> {
    for await (const _ of this.jobs.follow(id)) {
      const job = (await this.jobs.get(id))!;
      if (fits(job)) return job;
    }
    const job = (await this.jobs.get(id))!;
    if (!fits(job)) throw new Error(`It ended otherwise: ${JSON.stringify(job)}`);
    return job;
  }

  ended(id: string): Promise<Job> {
    return this.when(id, (job) => isFinished(job.status));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const runner of this.#runners) await runner.stop();
    this.jobs.kv.close();
    await Deno.remove(this.folder, { recursive: true });
  }
}
