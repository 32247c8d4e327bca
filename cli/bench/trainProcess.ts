/**
 * `deno task bench train` in a separate process.
 *
 * @module
 */
import type { Subject } from "./engine.ts";

/** Times of training steps, in milliseconds. */
export interface StepTimes {
  readonly median_ms: number;
  readonly min_ms: number;
}

/** Measures `steps` training steps in a separate process. @param vectors the option `--vectors` @throws {Error} with the output of a process that failed */
export async function trainProcess(
  { model, batch, threads }: Subject,
  steps: number,
  vectors: string,
): Promise<StepTimes> {
  const main = new URL("./main.ts", import.meta.url).href;
  const options = { config: model, batch, steps, threads, vectors };
  const args = Object.entries(options).map(([name, value]) => `--${name}=${value}`);
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", main, "train", ...args, "--json"],
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return JSON.parse(new TextDecoder().decode(stdout));
}
