/**
 * Writes the events of a run to the database.
 *
 * @module
 */
import type { ObjectStore } from "../../data/objects/store.ts";
import { objectKeysOf } from "../artifacts/objectKeys.ts";
import type { KindEvent } from "../kinds/kind.ts";
import type { Claim } from "../store/queue/claim.ts";
import { LeaseLostError } from "../store/queue/lease.ts";
import type { JobUpdate } from "../store/queue/update.ts";
import { UpdateBuffer } from "./updateBuffer.ts";

/** Maximum time for which an event is buffered, in milliseconds. */
const WRITE_MS = 500;

/** Writes the events of a run. Its methods throw {@linkcode LeaseLostError} after the lease was lost. */
export class EventRecorder {
  readonly #claim: Claim;
  readonly #store: ObjectStore;
  readonly #buffer = new UpdateBuffer();
  #flushedAt = performance.now();
  #result: Readonly<Record<string, unknown>> | null = null;

  /** @param store object storage with the checkpoints of the run */
  constructor(claim: Claim, store: ObjectStore) {
    this.#claim = claim;
    this.#store = store;
  }

  /** The result of the run; null before its event. */
  get result(): Readonly<Record<string, unknown>> | null {
    return this.#result;
  }

  /** Milliseconds until {@linkcode flush} is due; not positive when it is overdue. */
  get flushDueMs(): number {
    return this.#flushedAt + WRITE_MS - performance.now();
  }

  /** Writes or buffers an event. */
  async record(event: KindEvent): Promise<void> {
    if (event.type === "result") this.#result = event.result;
    else if (event.type === "fell_back") await this.#claim.fallBack(event);
    else if (event.type === "saving") await this.#claim.declareObjects(event.objectKeys);
    else {
      if (event.type === "started") await this.#claim.rewind(event.step);
      for (const update of this.#buffer.add(event)) await this.#write(update);
    }
  }

  /** Writes the buffered events. */
  async flush(): Promise<void> {
    const update = this.#buffer.drain();
    if (update) await this.#write(update);
    this.#flushedAt = performance.now();
  }

  async #write(update: JobUpdate): Promise<void> {
    try {
      await this.#claim.record(update);
    } catch (error) {
      const { checkpoint } = update;
      if (checkpoint && error instanceof LeaseLostError) {
        // No row will refer to the objects of this checkpoint. The sweep deletes those that cannot be deleted here.
        await Promise.allSettled(objectKeysOf(checkpoint).map((key) => this.#store.delete(key)));
      }
      throw error;
    }
  }
}
