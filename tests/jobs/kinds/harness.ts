/**
 * Runs kinds of job in the thread of the test, without a runner or a database.
 *
 * @module
 */
import { fromWire } from "../../../data/wire.ts";
import { openStore } from "../../../data/objects/open.ts";
import type { ObjectStore } from "../../../data/objects/store.ts";
import { newCheckpointId, saveCheckpoint } from "../../../jobs/artifacts/writeCheckpoint.ts";
import type { Checkpoint } from "../../../jobs/job.ts";
import type { KindContext, KindEvent } from "../../../jobs/kinds/kind.ts";
import { runJob } from "../../../jobs/kinds/mod.ts";
import { DEFAULT_KIND_SETTINGS } from "../../../jobs/kinds/settings.ts";
import { completeConfig, type MaeConfig } from "../../../model/config.ts";
import { type Architecture, initialWeights, parameterSpecs } from "../../../model/weights.ts";
import { request } from "../fixtures.ts";

/** Class names of the data set `digits`. */
export const DIGITS = Array.from({ length: 10 }, (_, digit) => String(digit));

/** The field `model` of a request for a tiny model. */
export const MODEL = {
  patch_size: 7,
  embed_dim: 16,
  depth: 1,
  num_heads: 2,
  decoder_embed_dim: 8,
  decoder_depth: 1,
  decoder_num_heads: 2,
};
const CONFIG = completeConfig(fromWire(MODEL));

/** Object storage in a temporary folder, and runs on it. */
export class KindHarness implements AsyncDisposable {
  private constructor(readonly folder: string) {}
  static async open(): Promise<KindHarness> {
    return new KindHarness(await Deno.makeTempDir());
  }

  get store(): ObjectStore {
    return openStore({ url: `file:${this.folder}` });
  }

  /** Returns the context of a run. */
  context(body: Record<string, unknown>, options: Partial<KindContext> = {}): KindContext {
    return {
      jobId: `job_${"0".repeat(26)}`,
      request: request(body),
      settings: DEFAULT_KIND_SETTINGS,
      store: this.store,
      resumePoints: [],
      source: null,
      signal: new AbortController().signal,
      ...options,
    };
  }

  /** Runs a job. @returns its events */
  async run(body: Record<string, unknown>, options: Partial<KindContext> = {}): Promise<KindEvent[]> {
    const events: KindEvent[] = [];
    for await (const event of runJob(this.context(body, options))) events.push(structuredClone(event));
    return events;
  }

  /** Stores an untrained model. @param overflowing a tensor that is filled with a huge, finite number */
  async storeModel(
    model: "mae" | "classifier",
    { config = CONFIG, overflowing }: { config?: MaeConfig; overflowing?: string } = {},
  ): Promise<Checkpoint> {
    const architecture: Architecture = model === "mae" ? { model } : { model, classes: DIGITS.length };
    const weights = new Map(initialWeights(parameterSpecs(config, architecture), 1));
    if (overflowing) {
      const { shape: size, data } = weights.get(overflowing)!;
      weights.set(overflowing, { shape: size, data: new Float32Array(data.length).fill(3e38) });
    }
    const optimizer = { step: 1, expAvg: weights, expAvgSq: weights };
    const saved = await saveCheckpoint(this.store, {
      id: newCheckpointId(),
      jobId: `job_${"1".repeat(26)}`,
      config,
      architecture,
      classNames: model === "mae" ? [] : DIGITS,
      state: { step: 1, epochLossSum: 1, weights, optimizer },
      epoch: 0,
      final: true,
      metrics: {},
    });
    return withCreatedAt(saved);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Deno.remove(this.folder, { recursive: true });
  }
}

/** Returns the row of a checkpoint that a run reported. */
export function withCreatedAt(checkpoint: Omit<Checkpoint, "createdAt">): Checkpoint {
  return { ...checkpoint, createdAt: "2026-01-01T00:00:00.000Z" };
}

/** Returns the events of one type. */
export function eventsOf<T extends KindEvent["type"]>(
  events: KindEvent[],
  type: T,
): Extract<KindEvent, { type: T }>[] {
  return events.filter((event): event is Extract<KindEvent, { type: T }> => event.type === type);
}
