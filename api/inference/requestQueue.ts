/**
 * Inference requests that wait to be computed.
 *
 * @module
 */
import type { Checkpoint } from "../../jobs/job.ts";
import type { Pool } from "../../model/classifier.ts";
import { classifierFlops, forwardFlops } from "../../model/flops.ts";
import { InferenceError } from "./inference.ts";
import type { BatchEntry, BatchResult, Operation } from "./messages.ts";

/** Limits of the requests that wait. */
export interface QueueLimits {
  /** Number of requests. */
  readonly requests: number;
  /** Bytes of their images together. A request on its own may have more. */
  readonly bytes: number;
}

/** The default limits. 4,096 requests of the `mnist` model wait for about a second. */
export const QUEUE_LIMITS: QueueLimits = { requests: 4096, bytes: 2 ** 28 };

/** Maximum number of images of a batch, and of floating-point operations, about half a second. */
const BATCH_IMAGES = 512, BATCH_FLOPS = 5e10;

/** A request that waits. */
export interface QueuedRequest extends BatchEntry {
  readonly operation: Operation;
  readonly checkpoint: Checkpoint;
  readonly maskRatio: number;
  readonly withPatches: boolean;
  readonly withAttention: boolean;
  readonly pool?: Pool;
  /** `[count, height, width, channels]` with values from 0 to 255. */
  readonly pixels: Uint8Array;
  /** Called with the request's part of the results. */
  resolve(arrays: BatchResult["arrays"]): void;
  /** Called if the request fails. */
  reject(error: Error): void;
}

/** Requests that can be computed in one batch, in the order of their arrival. */
type Group = Set<QueuedRequest>;

/**
 * Requests by model, and by what a batch has in common: operation, mask ratio, attention and pooling. Models take turns,
 * and so do the groups of a model. A turn is one batch.
 */
export class RequestQueue {
  readonly #limits: QueueLimits;
  readonly #models = new Map<string, Map<string, Group>>();
  #requests = 0;
  #bytes = 0;

  constructor(limits: QueueLimits = QUEUE_LIMITS) {
    this.#limits = limits;
  }

  /** Number of requests. */
  get size(): number {
    return this.#requests;
  }

  /** Adds a request. @throws {InferenceError} `unavailable` when too many wait */
  add(request: QueuedRequest): void {
    const { requests, bytes } = this.#limits;
    if (
      this.#requests >= requests || (this.#requests > 0 && this.#bytes + request.pixels.byteLength > bytes)
    ) {
      throw new InferenceError(
        "unavailable",
        `${this.#requests} requests already wait for a model: try again later`,
      );
    }
    const groups = entryOf(this.#models, request.checkpoint.id, () => new Map<string, Group>());
    entryOf(groups, groupOf(request), () => new Set()).add(request);
    this.#requests++;
    this.#bytes += request.pixels.byteLength;
  }

  /** Removes a request that waits. */
  remove(request: QueuedRequest): void {
    const { checkpoint } = request, key = groupOf(request);
    const groups = this.#models.get(checkpoint.id), group = groups?.get(key);
    if (!groups || !group?.delete(request)) return;
    this.#requests--;
    this.#bytes -= request.pixels.byteLength;
    if (group.size === 0) groups.delete(key);
    if (groups.size === 0) this.#models.delete(checkpoint.id);
  }

  /** Removes and returns the requests of the next batch, at least one; null when none waits. */
  take(): QueuedRequest[] | null {
    for (const [id, groups] of this.#models) {
      for (const [key, group] of groups) {
        const batch = nextBatch(group);
        // What remains of the group, and of the model, waits behind the others.
        groups.delete(key);
        groups.set(key, group);
        this.#models.delete(id);
        this.#models.set(id, groups);
        for (const request of batch) this.remove(request);
        return batch;
      }
    }
    return null;
  }

  /** Removes and returns the requests of a model. @param id of its checkpoint */
  removeModel(id: string): QueuedRequest[] {
    const requests = [...this.#models.get(id)?.values() ?? []].flatMap((group) => [...group]);
    for (const request of requests) this.remove(request);
    return requests;
  }

  /** Removes and returns all requests. */
  clear(): QueuedRequest[] {
    const all: QueuedRequest[] = [];
    for (let batch = this.take(); batch !== null; batch = this.take()) all.push(...batch);
    return all;
  }
}

/** Returns a text that is the same for the requests of a group. */
function groupOf({ operation, maskRatio, withAttention, pool }: QueuedRequest): string {
  return `${operation} ${maskRatio} ${withAttention} ${pool}`;
}

/** Returns the first requests of a group, up to the limits of a batch. */
function nextBatch(group: Group): QueuedRequest[] {
  const batch: QueuedRequest[] = [];
  let images = 0;
  for (const request of group) {
    images += request.count;
    if (batch.length > 0 && images > maxImages(request)) break;
    batch.push(request);
  }
  return batch;
}

function maxImages(
  { operation, checkpoint: { config }, maskRatio, withAttention }: QueuedRequest,
): number {
  const reconstructs = operation === "reconstruct";
  const flops = (reconstructs ? forwardFlops({ ...config, maskRatio }) : 0) +
    (!reconstructs || withAttention ? classifierFlops(config) : 0);
  return Math.min(BATCH_IMAGES, BATCH_FLOPS / flops);
}

function entryOf<V>(map: Map<string, V>, key: string, create: () => V): V {
  let value = map.get(key);
  if (value === undefined) map.set(key, value = create());
  return value;
}
