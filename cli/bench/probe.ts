/**
 * `deno task bench probe`: measures a linear probe over HTTP, in passes over the training images.
 *
 * @module
 */
import type { Client } from "../client.ts";
import { BenchError, type BenchOptions, integerOption } from "./options.ts";
import { round } from "./round.ts";
import { prepareDataset, timeJob, withService } from "./serviceFigures.ts";

/** Returns the milliseconds between the events of the first and of the last features of a probe. */
async function passMs(client: Client, id: string): Promise<number> {
  const { data }: { data: { message: string; created_at: string }[] } =
    await (await client.send(`/v1/jobs/${id}/events?limit=500`)).json();
  const times = data.filter(({ message }) => message.startsWith("Computed the features of"))
    .map(({ created_at }) => Date.parse(created_at));
  if (times.length < 2) throw new BenchError("The probe did not keep its features in memory");
  return times.at(-1)! - times[0];
}

/** Measures a linear probe of a model that was pre-trained for a few steps. */
export async function probe(options: BenchOptions): Promise<object> {
  const threads = integerOption(options, "threads"), batch = integerOption(options, "batch", 128);
  const epochs = integerOption(options, "epochs", 90), mnist = options.mnist ?? null;
  return await withService(threads, async (start) => {
    const { client } = await start("start"), dataset = await prepareDataset(client, mnist);
    const pretrain = { kind: "pretrain", model: "mnist", dataset, max_steps: 20 };
    const { checkpoint } = await timeJob(client, pretrain);
    const request = { kind: "linear_probe", checkpoint, dataset, batch_size: batch, epochs };
    const { id, ms, steps, losses } = await timeJob(client, request), pass = await passMs(client, id);
    return {
      dataset: mnist ?? "digits",
      threads,
      epochs,
      steps,
      job_seconds: round(ms / 1e3, 2),
      pass_seconds: round(pass / 1e3, 2),
      job_in_passes: round(ms / pass, 2),
      microseconds_a_step_beyond_the_pass: round((ms - pass) * 1e3 / steps),
      last_loss: round(losses.at(-1)!, 4),
    };
  });
}
