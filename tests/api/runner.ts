/**
 * A runner for the jobs of a test's application.
 *
 * @module
 */
import { Runner } from "../../jobs/runner/runner.ts";
import type { TestApi } from "./fixtures.ts";

/** A finished job as the API returns it. */
export interface FinishedJob {
  readonly id: string;
  readonly status: string;
  readonly result: Record<string, unknown> | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly request: Record<string, unknown>;
  readonly latest_checkpoint: string | null;
}

/** Runs jobs in this process until it is disposed of. */
export class TestRunner implements AsyncDisposable {
  readonly #runner: Runner;

  constructor(readonly api: TestApi) {
    this.#runner = new Runner({
      jobs: api.jobs,
      storage: { url: `file:${api.folder}/objects` },
      pollMs: 20,
      log: () => {},
    });
    this.#runner.start();
  }

  /** Creates a job and waits until it is finished. */
  async run(body: object): Promise<FinishedJob> {
    const response = await this.api.post("/v1/jobs", body, { prefer: "wait=60" });
    const text = await response.text();
    if (response.status !== 201) throw new Error(`The job was rejected with ${response.status}: ${text}`);
    return JSON.parse(text);
  }

  /** Returns the messages of a job's warnings. */
  async warnings(id: string): Promise<string[]> {
    const { data } = await (await this.api.send(`/v1/jobs/${id}/events?limit=100`)).json();
    return data.filter(({ level }: { level: string }) => level === "warning")
      .map(({ message }: { message: string }) => message);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#runner.stop();
  }
}
