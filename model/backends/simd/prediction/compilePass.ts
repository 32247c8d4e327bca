/**
 * Compiles a forward pass for the threads that compute it.
 *
 * @module
 */
import { compile } from "../plan/compile.ts";
import type { Program } from "./messages.ts";
import { keyOf, type PassModel, recordPass } from "./pass.ts";
import type { PassPlan } from "./passPlan.ts";
import { splitCall } from "./splitCall.ts";

/** A pass over chunks of one size, compiled for every thread. */
export interface CompiledPass {
  readonly key: string;
  /** Offset of each feed in bytes. */
  readonly feedOffsets: ReadonlyMap<string, number>;
  readonly programs: readonly Program[];
}

/** Returns the key of a pass over chunks of `images` images. */
export function compiledKey({ pass }: PassPlan, images: number): string {
  return `${keyOf(pass)}: ${images}`;
}

/**
 * Compiles a pass over chunks of `images` images.
 *
 * @throws {PlanError} when an operation has no kernel
 */
export function compilePass(
  model: PassModel,
  plan: PassPlan,
  images: number,
  threads: number,
): CompiledPass {
  const graph = recordPass(model, plan.pass, images);
  const compiled = Array.from({ length: threads }, (_, thread) => {
    const addresses = plan.addressesOf(thread);
    return { feeds: addresses.feeds, ...compile(graph, addresses) };
  });
  const programs = compiled.map(({ calls, feeds, feedBytes, outputAddresses }, thread): Program => ({
    calls: plan.together ? calls.map((call) => splitCall(call, thread, threads)) : calls,
    together: plan.together,
    feeds,
    feedBytes,
    output: outputAddresses[0],
    outputBytes: 4 * graph.outputs[0].size,
  }));
  return { key: compiledKey(plan, images), feedOffsets: compiled[0].feedOffsets, programs };
}
