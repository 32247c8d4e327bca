/**
 * A client of the HTTP API with the requests that the demo needs.
 *
 * @module
 */
import { pause } from "../data/backoff.ts";
import type { JobStatus } from "../jobs/job.ts";
import { isFinished } from "../jobs/transitions.ts";

/** The fields of a job that the demo uses. */
export interface JobView {
  readonly id: string;
  readonly kind: string;
  readonly status: JobStatus;
  readonly progress: {
    readonly step: number;
    readonly total_steps: number;
    readonly epoch: number;
    readonly loss: number | null;
    readonly images_per_second: number | null;
    readonly eta_seconds: number | null;
  } | null;
  readonly result: Readonly<Record<string, unknown>> | null;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly backend: {
    readonly name: string;
    readonly vector_bits?: number;
    readonly notes: readonly string[];
  } | null;
  readonly latest_checkpoint: string | null;
}

/** The loss series of a job: every step, and the mean of each epoch. */
export interface Series {
  readonly steps: { readonly step: number; readonly loss: number }[];
  readonly epochs: { readonly step: number; readonly loss: number }[];
}

/** An error response of the API. The message has the details of the problem. */
export class ApiError extends Error {
  override readonly name = "ApiError";
}

/** A client of one service. */
export class Client {
  /** @param url of the service, without a slash at the end */
  constructor(readonly url: string) {}

  /** Sends a request. @throws {ApiError} for a response other than 2xx */
  async send(path: string, init: RequestInit = {}): Promise<Response> {
    const response = await fetch(this.url + path, init);
    if (response.ok) return response;
    const problem = await response.json().catch(() => ({})) as {
      title?: string;
      detail?: string;
      errors?: unknown;
    };
    const errors = problem.errors ? ` ${JSON.stringify(problem.errors)}` : "";
    throw new ApiError(`${path}: ${response.status} ${problem.detail ?? problem.title ?? ""}${errors}`);
  }

  /** Posts JSON. */
  post(path: string, body: unknown, accept = "application/json"): Promise<Response> {
    const headers = { "content-type": "application/json", accept };
    return this.send(path, { method: "POST", headers, body: JSON.stringify(body) });
  }

  /** Creates a job. */
  async createJob(request: object): Promise<JobView> {
    return await (await this.post("/v1/jobs", request)).json();
  }

  /**
   * Polls a job until it is finished.
   *
   * @param onUpdate receives the job after each poll
   * @param signal cancels the job
   * @throws {ApiError} when the job fails or is cancelled
   */
  async waitFor(id: string, onUpdate: (job: JobView) => void, signal?: AbortSignal): Promise<JobView> {
    let isCancelled = false;
    while (true) {
      if (signal?.aborted && !isCancelled) {
        isCancelled = true;
        await this.send(`/v1/jobs/${id}/cancel`, { method: "POST" });
      }
      const job: JobView = await (await this.send(`/v1/jobs/${id}`)).json();
      onUpdate(job);
      if (job.status === "succeeded") return job;
      if (isFinished(job.status)) {
        throw new ApiError(
          job.error ? `Job '${id}' failed: ${job.error.message}` : `Job '${id}' was cancelled`,
        );
      }
      await pause(250);
    }
  }

  /** Fetches all pages of a job's loss series. */
  async series(id: string): Promise<Series> {
    const series: Series = { steps: [], epochs: [] };
    for (let after: number | null = 0; after !== null;) {
      const page: Series & { next: number | null } =
        await (await this.send(`/v1/jobs/${id}/metrics?after=${after}`)).json();
      series.steps.push(...page.steps);
      series.epochs.push(...page.epochs);
      after = page.next;
    }
    return series;
  }

  /** Writes the body of a response to a file. @returns the number of bytes */
  async save(response: Response, path: string): Promise<number> {
    using file = await Deno.create(path);
    await response.body!.pipeTo(file.writable, { preventClose: true });
    return (await file.stat()).size;
  }
}
