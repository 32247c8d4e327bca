/**
 * Object storage and the database are killed while 12 jobs run on three runners. Each job must succeed with the same
 * bits as without an outage.
 *
 * @module
 */
import { expect } from "expect";
import { pause } from "../../data/backoff.ts";
import type { Client, JobView } from "../../cli/client.ts";
import { type ServiceProcess, startProcess } from "../../cli/process.ts";
import { sha256 } from "../../jobs/artifacts/sha256.ts";
import { findDenokv, startDenokv } from "../setup/denokv.ts";
import { findVersitygw, startVersitygw } from "../setup/versitygw.ts";

const JOBS = 12, RUNNERS = 3;
const AWS = ["AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];

const requestOf = (seed: number) => ({
  kind: "pretrain",
  model: { depth: 1, decoder_depth: 1, dropout: 0.1 },
  dataset: { id: "digits", size: 512, seed: 5 },
  batch_size: 32,
  epochs: 6,
  lr: 1e-3,
  seed,
});

/** A server that can be killed and restarted. */
interface Server {
  signal(signal: Deno.Signal): Promise<void>;
  restart(): Promise<void>;
}

/** Returns the digest of each job's final checkpoint, in order. */
async function digests(client: Client, jobs: readonly JobView[]): Promise<string[]> {
  return await Promise.all(jobs.map(async (job) => {
    const checkpoint = await (await client.send(`/v1/checkpoints/${job.latest_checkpoint}`)).json();
    expect(checkpoint.final).toBe(true);
    const content = await client.send(`/v1/checkpoints/${checkpoint.id}/content`);
    const digest = await sha256(content.body!);
    expect(digest).toBe(checkpoint.sha256);
    return digest;
  }));
}

/** Waits until a job is finished. The API may be unavailable for a while. @returns the job */
async function waitForJob({ url }: ServiceProcess, id: string): Promise<JobView> {
  while (true) {
    const response = await fetch(`${url}/v1/jobs/${id}`);
    const body = await response.json();
    if (response.ok && ["succeeded", "failed", "cancelled"].includes(body.status)) return body;
    // In an outage, the answer is 503 with a time to retry.
    if (!response.ok) expect([response.status, response.headers.has("retry-after")]).toEqual([503, true]);
    await pause(250);
  }
}

/** Runs the jobs, and kills a server for some seconds while one of them runs. */
async function runWithOutage(
  api: ServiceProcess,
  server: Server,
  seconds: number,
): Promise<JobView[]> {
  const created = [];
  for (let seed = 1; seed <= JOBS; seed++) created.push(await api.client.createJob(requestOf(seed)));
  const running = async (id: string) => {
    const job: JobView = await (await api.client.send(`/v1/jobs/${id}`)).json();
    return job.latest_checkpoint !== null && job.status === "running";
  };
  while (!(await Promise.all(created.map(({ id }) => running(id)))).includes(true));
  await server.signal("SIGKILL");
  await pause(seconds * 1000);
  await server.restart();
  return await Promise.all(created.map(({ id }) => waitForJob(api, id)));
}

const ignore = await findVersitygw() === null || await findDenokv() === null;

Deno.test({
  name:
    "12 jobs on three runners have bit-identical checkpoints after outages of object storage and of the database",
  ignore,
  async fn(t) {
    const folder = await Deno.makeTempDir();
    await using storage = (await startVersitygw())!;
    await using database = (await startDenokv())!;
    const env = {
      ...Object.fromEntries(AWS.map((name) => [name, storage.env(name)!])),
      ...database.env,
      UNMASK_STORE: `s3://${storage.bucket}/unmask`,
      UNMASK_KV: database.url,
      UNMASK_THREADS: "1",
    };
    await using api = await startProcess("api", folder, env);
    await using runners = new AsyncDisposableStack();
    const processes: ServiceProcess[] = [];
    for (let i = 0; i < RUNNERS; i++) processes.push(runners.use(await startProcess("runner", folder, env)));

    let expected: string[] = [];
    await t.step("without an outage", async () => {
      const created = [];
      for (let seed = 1; seed <= JOBS; seed++) created.push(await api.client.createJob(requestOf(seed)));
      const jobs = await Promise.all(created.map(({ id }) => waitForJob(api, id)));
      expected = await digests(api.client, jobs);
      expect(new Set(expected).size).toBe(JOBS);
    });
    for (const [name, server] of Object.entries({ storage, database })) {
      for (const seconds of [5, 60]) {
        await t.step(`the ${name} is down for ${seconds} s`, async () => {
          const jobs = await runWithOutage(api, server, seconds);
          expect(jobs.map(({ status, error }) => [status, error])).toEqual(
            jobs.map(() => ["succeeded", null]),
          );
          expect(await digests(api.client, jobs)).toEqual(expected);
        });
      }
    }
    await t.step("the logs have a line for the beginning and one for the end of each outage", async () => {
      for (const process of [api, ...processes]) {
        const { output } = await process.end("SIGTERM");
        const began = output.match(/^The database is unavailable/gm) ?? [];
        expect(output.match(/^The database is available again/gm)?.length ?? 0).toBe(began.length);
        // An API process without requests in that time does not detect the outage.
        if (process === api) expect(began.length).toBeLessThanOrEqual(2);
        else expect(began.length).toBe(2);
        expect(output).not.toMatch(/^KV Connect failed/m);
      }
    });
    await runners.disposeAsync();
    await Deno.remove(folder, { recursive: true });
  },
});
