/**
 * Runners with a database in memory and a folder for objects. Their jobs run scripts instead of training.
 *
 * @module
 */
import type { Job } from "../../jobs/job.ts";
import { Runner, type RunnerOptions } from "../../jobs/runner/runner.ts";
import { JobStore } from "../../jobs/store/store.ts";
import { isFinished } from "../../jobs/transitions.ts";
import { request } from "./fixtures.ts";

/** Returns a script of `count` steps. */
export const steps = (count: number): string => Array.from({ length: count }, () => "step").join(",");

/** A store of jobs with its runners. */
export class RunnerFixture implements AsyncDisposable {
  /** Log messages of the runners. */
  readonly logs: string[] = [];
  readonly #runners: Runner[] = [];
  private constructor(readonly jobs: JobStore, readonly folder: string) {}

  /** Opens a fixture with a database in memory. */
  static async open(options: { now?: () => number } = {}): Promise<RunnerFixture> {
    return await RunnerFixture.of(new JobStore(await Deno.openKv(":memory:"), options));
  }

  /** Opens a fixture with a store of jobs. */
  static async of(jobs: JobStore): Promise<RunnerFixture> {
    return new RunnerFixture(jobs, await Deno.makeTempDir());
  }

  /** Starts a runner. */
  startRunner(options: Partial<RunnerOptions> = {}): Runner {
    const runner = new Runner({
      jobs: this.jobs,
      storage: { url: `file:${this.folder}` },
      runModule: new URL("./scriptedRun.ts", import.meta.url),
      pollMs: 20,
      log: (message, error) => this.logs.push(error === undefined ? message : `${message}: ${error}`),
      ...options,
    });
    runner.start();
    this.#runners.push(runner);
    return runner;
  }

  /** Creates a job that runs a script, see `scriptedRun.ts`. @returns its id */
  async createJob(script: string, metadata: Record<string, string> = {}): Promise<string> {
    return (await this.jobs.create(request({ metadata: { script, ...metadata } }))).job.id;
  }

  /** Waits until the job fulfils a condition. @returns the job */
  async until(id: string, condition: (job: Job) => boolean): Promise<Job> {
    for await (const _ of this.jobs.follow(id)) {
      const job = (await this.jobs.get(id))!;
      if (condition(job)) return job;
    }
    const job = (await this.jobs.get(id))!;
    if (!condition(job)) {
      throw new Error(`The job finished without fulfilling the condition: ${JSON.stringify(job)}`);
    }
    return job;
  }

  /** Waits until the job is finished. @returns the job */
  finished(id: string): Promise<Job> {
    return this.until(id, (job) => isFinished(job.status));
  }

  /** Returns the messages of the job's events. */
  async messages(id: string): Promise<string[]> {
    return (await Array.fromAsync(this.jobs.follow(id))).map(({ message }) => message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const runner of this.#runners) await runner.stop();
    this.jobs.kv.close();
    await Deno.remove(this.folder, { recursive: true });
  }
}
