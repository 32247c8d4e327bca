/**
 * Kinds of job, run on a store of their own without a runner or a database.
 *
 * @module
 */
import { openStore } from "../../data/objects/open.ts";
import type { ObjectStore } from "../../data/objects/store.ts";
import type { KindContext, KindEvent } from "../../jobs/kinds/kind.ts";
import { runJob } from "../../jobs/kinds/mod.ts";
import { DEFAULT_KIND_SETTINGS } from "../../jobs/kinds/settings.ts";
import { request } from "./fixtures.ts";

/** Runs kinds of job in this thread. */
export class Bench implements AsyncDisposable {
  private constructor(readonly folder: string) {}
  static async open(): Promise<Bench> {
    return new Bench(await Deno.makeTempDir());
  }

  /** Object storage in a temporary folder. */
  get store(): ObjectStore {
    return openStore({ url: `file:${this.folder}` });
  }

  /** Runs a job by its request. @returns every event */
  async run(body: Record<string, unknown>, more: Partial<KindContext> = {}): Promise<KindEvent[]> {
    const asked = request(body);
    const context: KindContext = {
      jobId: `job_${"0".repeat(26)}`,
      request: asked,
      settings: DEFAULT_KIND_SETTINGS,
      store: this.store,
      resumeFrom: null,
      source: null,
      signal: new AbortController().signal,
      ...more,
    };
    const events: KindEvent[] = [];
    for await (const event of runJob(context)) events.push(structuredClone(event));
    return events;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}
