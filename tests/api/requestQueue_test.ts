import { expect } from "expect";
import { InferenceError } from "../../api/inference/inference.ts";
import { type QueuedRequest, RequestQueue } from "../../api/inference/requestQueue.ts";
import type { Checkpoint } from "../../jobs/job.ts";
import { PRESETS } from "../../model/presets.ts";
import { TINY } from "./fixtures.ts";

function request(model: string, fields: Partial<QueuedRequest> = {}): QueuedRequest {
  return {
    operation: "reconstruct",
    checkpoint: { id: model, config: TINY } as Checkpoint,
    maskRatio: 0.75,
    seed: 0,
    count: 1,
    withPatches: false,
    withAttention: false,
    pixels: new Uint8Array(100),
    resolve() {},
    reject() {},
    ...fields,
  };
}

/** A queue with requests, which are named by their seeds. */
function queueOf(...requests: QueuedRequest[]): RequestQueue {
  const queue = new RequestQueue();
  requests.forEach((request, seed) => queue.add(Object.assign(request, { seed })));
  return queue;
}

/** Takes all batches. @returns the seeds of each */
function batches(queue: RequestQueue): number[][] {
  const taken: number[][] = [];
  for (let batch = queue.take(); batch !== null; batch = queue.take()) {
    taken.push(batch.map(({ seed }) => seed));
  }
  return taken;
}

Deno.test("requests of one model, operation and mask ratio form one batch", () => {
  const queue = queueOf(
    request("a"),
    request("b"),
    request("a", { withPatches: true }),
    request("a", { maskRatio: 0.5 }),
    request("a", { operation: "embed" }),
    request("a"),
  );
  expect(batches(queue)).toEqual([[0, 2, 5], [1], [3], [4]]);
});

Deno.test("a model with many requests does not keep another one waiting", () => {
  const many = Array.from({ length: 5 }, () => request("a", { count: 200 }));
  const ratios = [0.1, 0.2, 0.3].map((maskRatio) => request("b", { maskRatio }));
  expect(batches(queueOf(...many, ...ratios, request("c")))).toEqual([
    [0, 1],
    [5],
    [8],
    [2, 3],
    [6],
    [4],
    [7],
  ]);
});

Deno.test("a batch of a large model has few images, and one request is never too large", () => {
  const large = { checkpoint: { id: "large", config: PRESETS.vit_base } as Checkpoint };
  const queue = queueOf(
    ...Array.from({ length: 20 }, () => request("", large)),
    request("", { ...large, count: 64 }),
  );
  const sizes = batches(queue).map((batch) => batch.length);
  expect(sizes[0]).toBeGreaterThan(0);
  expect(sizes[0]).toBeLessThan(10);
  expect(sizes.at(-1)).toBe(1);
  expect(sizes.reduce((sum, size) => sum + size)).toBe(21);
});

Deno.test("a batch has fewer images if each takes longer: few masked patches, or attention as well", () => {
  const large = { checkpoint: { id: "large", config: PRESETS.vit_small } as Checkpoint };
  const first = (fields: Partial<QueuedRequest>) =>
    batches(queueOf(...Array.from({ length: 40 }, () => request("", { ...large, ...fields }))))[0].length;
  const usual = first({});
  expect(first({ maskRatio: 0.25 })).toBeLessThan(usual);
  expect(first({ withAttention: true })).toBeLessThan(usual);
});

Deno.test("requests beyond the limits are refused until others have left", () => {
  const queue = new RequestQueue({ requests: 3, bytes: 1000 });
  const first = request("a"), large = request("b", { pixels: new Uint8Array(850) });
  queue.add(first);
  queue.add(large);
  expect(() => queue.add(request("c"))).toThrow(InferenceError);
  queue.remove(large);
  queue.remove(large);
  queue.add(request("c"));
  queue.add(request("c"));
  expect(() => queue.add(request("c"))).toThrow(/3 requests already wait/);
  expect(queue.clear().length).toBe(3);
  expect(queue.take()).toBeNull();
  // A request on its own is computed even if it has more bytes.
  queue.add(request("a", { pixels: new Uint8Array(5000) }));
  expect(queue.take()!.length).toBe(1);
});

Deno.test("a request that was removed is not in a batch", () => {
  const requests = [request("a"), request("a"), request("b")];
  const queue = queueOf(...requests);
  queue.remove(requests[0]);
  queue.remove(requests[2]);
  expect(batches(queue)).toEqual([[1]]);
});
