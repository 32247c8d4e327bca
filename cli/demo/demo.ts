/**
 * The demo: pre-training, download, fine-tuning, evaluation and reconstruction over HTTP.
 *
 * @module
 */
import { resolve } from "node:path";
import { Client, type JobView } from "../client.ts";
import { lossChart } from "./lossChart.ts";
import { uploadMnist } from "../uploadMnist.ts";
import { ProgressBar } from "./progressBar.ts";
import { startService } from "../service/service.ts";
import { loadSettings } from "../settings/environment.ts";
import { stopSignal } from "../signals.ts";

/** Options of the command line, for `parseArgs`. */
export const DEMO_OPTIONS = {
  dataset: { type: "string", default: "digits" },
  mnist: { type: "string" },
  size: { type: "string" },
  epochs: { type: "string" },
  "finetune-epochs": { type: "string" },
  "finetune-steps": { type: "string" },
  "batch-size": { type: "string" },
  seed: { type: "string", default: "0" },
  out: { type: "string", default: "demo-output" },
} as const;

/** An invalid option of the demo. */
export class DemoError extends Error {
  override readonly name = "DemoError";
}

type Values = Partial<Record<keyof typeof DEMO_OPTIONS, string>>;

/** Returns the requests of both jobs. With the default options the demo takes about half a minute. */
function jobRequests(values: Values, uploaded: string | null) {
  const integer = (name: keyof typeof DEMO_OPTIONS, fallback: number) => {
    const text = values[name];
    if (text === undefined) return fallback;
    if (/^\d{1,9}$/.test(text)) return Number(text);
    throw new DemoError(`--${name} must be a whole number: current value is '${text}'`);
  };
  const id = uploaded ?? values.dataset!, isDigits = id === "digits";
  const dataset = isDigits ? { id, size: integer("size", 8192), seed: 0 } : { id };
  const batchSize = integer("batch-size", isDigits ? 32 : 128), seed = integer("seed", 0);
  const steps = values["finetune-steps"];
  return {
    id,
    pretrain: {
      kind: "pretrain",
      name: "demo",
      model: "mnist",
      dataset,
      epochs: integer("epochs", isDigits ? 2 : 1),
      batch_size: batchSize,
      // Drawn digits allow a higher learning rate than MNIST.
      lr: isDigits ? 1e-3 : 1.5e-4,
      seed,
    },
    finetune: {
      kind: "finetune",
      name: "demo",
      dataset,
      epochs: integer("finetune-epochs", isDigits ? 2 : 1),
      ...(steps === undefined ? {} : { max_steps: integer("finetune-steps", 1) }),
      batch_size: batchSize,
      lr: isDigits ? 2e-3 : 1e-3,
      seed,
    },
  };
}

async function runJob(client: Client, title: string, request: object, signal: AbortSignal): Promise<JobView> {
  const { id } = await client.createJob(request);
  const bar = new ProgressBar(title);
  try {
    return await client.waitFor(id, (job) => bar.show(job), signal);
  } finally {
    bar.stop();
  }
}

/**
 * Runs the demo on a separate service on a free port. The service uses the data folder of `deno task start`, so that
 * the jobs and checkpoints are available afterwards. An interrupt cancels the job.
 *
 * @throws {DemoError} for an invalid option
 * @throws {ApiError} when a request or a job fails
 */
export async function runDemo(values: Values): Promise<void> {
  // Reports invalid options before the service starts.
  jobRequests(values, null);
  const out = resolve(values.out!);
  await Deno.mkdir(out, { recursive: true });
  const settings = { ...loadSettings(), port: 0, host: "127.0.0.1" };
  // The bar displays the progress of the jobs, so only errors are logged.
  const log = (message: string, error?: unknown) => error === undefined || console.error(message, error);
  const interrupted = new AbortController();
  stopSignal().then(() => interrupted.abort());
  const service = await startService(settings, { api: true, runner: true }, log);
  try {
    const client = new Client(service.url!);
    const uploaded = values.mnist === undefined ? null : await uploadMnistFrom(client, values.mnist);
    const { id, pretrain, finetune } = jobRequests(values, uploaded), data = uploaded ? "mnist" : id;
    console.log(`Unmask listens on ${service.url}. Pre-training a masked autoencoder on '${data}':`);
    const trained = await runJob(client, "pretrain", pretrain, interrupted.signal);
    const checkpoint = trained.latest_checkpoint!;
    const file = `${out}/checkpoint.safetensors`;
    const bytes = await client.save(await client.send(`/v1/checkpoints/${checkpoint}/content`), file);
    console.log(
      `Loss of the last epoch ${number(trained.result?.loss)}; checkpoint of ${bytes} bytes downloaded.`,
    );

    const series = await client.series(trained.id);
    console.log(`Mean loss of each epoch: ${series.epochs.map(({ loss }) => number(loss)).join(", ")}.`);
    const title = `Pre-training on ${data}: loss on masked patches`;
    await Deno.writeTextFile(`${out}/loss.svg`, lossChart(title, series.steps, series.epochs));

    console.log("Fine-tuning a classifier from it:");
    const tuned = await runJob(client, "finetune", { ...finetune, checkpoint }, interrupted.signal);
    console.log(`Test accuracy ${(Number(tuned.result?.test_accuracy) * 100).toFixed(1)} %.`);

    const reconstruction = {
      checkpoint,
      dataset: { id, indices: [0, 1, 2, 3, 4, 5, 6, 7] },
      seed: 0,
    };
    const figure = await client.post("/v1/reconstructions", reconstruction, "image/png");
    await client.save(figure, `${out}/figure.png`);
    console.log(summary(out, pretrain, finetune, reconstruction));
  } finally {
    await service.stop();
  }
}

/** @throws {DemoError} when a file is missing in the folder */
async function uploadMnistFrom(client: Client, folder: string): Promise<string> {
  try {
    return await uploadMnist(client, folder);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new DemoError(`--mnist must be a folder with the four files of MNIST (*.gz): ${error.message}`);
  }
}

const number = (value: unknown) => typeof value === "number" ? value.toFixed(4) : "–";

function summary(
  out: string,
  pretrain: object,
  finetune: object,
  reconstruction: { checkpoint: string },
): string {
  const post = (path: string, body: object, more = "") =>
    `  curl -s localhost:8000${path} -H 'content-type: application/json'${more} -d '${JSON.stringify(body)}'`;
  const { checkpoint } = reconstruction;
  return `
Files in ${out}:
  figure.png               eight test images: original, masked, reconstruction, reconstruction + visible
  loss.svg                 loss of every step
  checkpoint.safetensors   model.load_state_dict(load_file("checkpoint.safetensors")) in PyTorch

The same with curl, after 'deno task start':
${post("/v1/jobs", pretrain)}
  curl -s -OJ localhost:8000/v1/checkpoints/${checkpoint}/content
${post("/v1/jobs", { ...finetune, checkpoint })}
${post("/v1/reconstructions", reconstruction, " -H 'accept: image/png' -o figure.png")}`;
}
