/**
 * `deno task bench answers`: measures reconstructions of the `mnist` model over HTTP.
 *
 * @module
 */
import { startProcess } from "../process.ts";
import { answerFigures } from "./answerFigures.ts";
import { type BenchOptions, integerOption } from "./options.ts";

/** Starts a service with a model that was trained for one step, and measures its responses. */
export async function answers(options: BenchOptions): Promise<object> {
  const threads = integerOption(options, "threads"), folder = await Deno.makeTempDir();
  const { client, url, pid, end } = await startProcess("start", folder, { UNMASK_THREADS: String(threads) });
  try {
    const request = { kind: "pretrain", model: "mnist", dataset: "digits", max_steps: 1, epochs: 1 };
    const { latest_checkpoint } = await client.waitFor((await client.createJob(request)).id, () => {});
    return {
      threads,
      ...await answerFigures({ url, pid, checkpoint: latest_checkpoint!, dataset: "digits" }),
    };
  } finally {
    await end("SIGTERM");
    await Deno.remove(folder, { recursive: true });
  }
}
