/**
 * Keys of the objects of jobs in object storage: `checkpoints/{id}.safetensors`, `checkpoints/{id}.state.safetensors`
 * and `results/{job id}/{name}`.
 *
 * @module
 */
import type { Checkpoint } from "../job.ts";

/** Returns the keys of a checkpoint's safetensors file and of its optimiser state. */
export function checkpointKeys(id: string): { readonly objectKey: string; readonly stateKey: string } {
  return { objectKey: `checkpoints/${id}.safetensors`, stateKey: `checkpoints/${id}.state.safetensors` };
}

/** Returns the keys of the objects that a checkpoint has. */
export function objectKeysOf({ objectKey, stateKey }: Pick<Checkpoint, "objectKey" | "stateKey">): string[] {
  return stateKey === null ? [objectKey] : [objectKey, stateKey];
}

/** Returns the key of an object of a job's result. */
export function resultKey(jobId: string, name: string): string {
  return `results/${jobId}/${name}`;
}

/** Returns the id of the checkpoint that an object belongs to; null for another key. */
export function checkpointOfKey(key: string): string | null {
  return /^checkpoints\/(ckpt_[0-9A-Z]+)(\.state)?\.safetensors$/.exec(key)?.[1] ?? null;
}

/** Returns the id of the job whose result an object belongs to; null for another key. */
export function jobOfResultKey(key: string): string | null {
  return /^results\/(job_[0-9A-Z]+)\//.exec(key)?.[1] ?? null;
}
