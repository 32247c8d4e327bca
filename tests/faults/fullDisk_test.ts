import { expect } from "expect";
import { pause } from "../../data/backoff.ts";
import type { Client, JobView } from "../../cli/client.ts";
import { startProcess } from "../../cli/process.ts";
import { sha256 } from "../../jobs/artifacts/sha256.ts";
import { withFullDisk } from "../setup/fullDisk.ts";

const request = {
  kind: "pretrain",
  model: { depth: 1, decoder_depth: 1 },
  dataset: { id: "digits", size: 256, seed: 5 },
  batch_size: 32,
  epochs: 100,
  checkpoint_every: { epochs: 2 },
  seed: 2,
};

/** Returns the digest of the latest checkpoint. */
async function digestOf(client: Client, job: JobView): Promise<string> {
  const content = await client.send(`/v1/checkpoints/${job.latest_checkpoint}/content`);
  return await sha256(content.body!);
}

async function events(client: Client, id: string): Promise<string[]> {
  const messages: string[] = [];
  for (let after: number | null = 0; after !== null;) {
    const page = await (await client.send(`/v1/jobs/${id}/events?limit=500&after=${after}`)).json();
    for (const { message } of page.data) messages.push(message);
    after = page.has_more ? page.data.at(-1).seq : null;
  }
  return messages;
}

async function until(condition: () => Promise<boolean>): Promise<void> {
  while (!await condition()) await pause(100);
}

/** Starts a job and waits for its first checkpoint. @returns its id */
async function started(client: Client): Promise<string> {
  const { id } = await client.createJob(request);
  await until(async () => {
    const job: JobView = await (await client.send(`/v1/jobs/${id}`)).json();
    return job.latest_checkpoint !== null;
  });
  return id;
}

Deno.test("a full disk fails no job, with only the objects on it or also the database", async (t) => {
  const folder = await Deno.makeTempDir();
  let expected = "";
  await t.step("without an outage", async () => {
    await using service = await startProcess("start", folder, { UNMASK_THREADS: "1" });
    const { id } = await service.client.createJob(request);
    expected = await digestOf(service.client, await service.client.waitFor(id, () => {}));
  });

  await t.step("objects", () =>
    withFullDisk(async (disk, freeSpace, fill) => {
      await freeSpace();
      const env = { UNMASK_THREADS: "1", UNMASK_STORE: `file:${disk}/objects` };
      await using service = await startProcess("start", `${folder}/objects`, env);
      const id = await started(service.client);
      await fill();
      await until(async () => (await events(service.client, id)).some((line) => line.endsWith("; waiting")));
      expect((await events(service.client, id)).join("\n")).toContain("No space left on device");
      await freeSpace();
      const job = await service.client.waitFor(id, () => {});
      expect(job).toMatchObject({ attempt: 1, interruptions: 0 });
      expect(await digestOf(service.client, job)).toBe(expected);
    }, { kib: 64 * 1024, left: 16 }));

  await t.step("objects and database", () =>
    withFullDisk(async (disk, freeSpace, fill) => {
      await freeSpace();
      await using service = await startProcess("start", disk, { UNMASK_THREADS: "1" });
      const id = await started(service.client);
      const queued = await service.client.createJob(request);
      await fill();
      const response = await fetch(`${service.url}/v1/jobs/${queued.id}/cancel`, { method: "POST" });
      await response.body?.cancel();
      expect([response.status, response.headers.has("retry-after")]).toEqual([503, true]);
      // The outage is longer than a lease, so that the runner loses its job.
      await pause(20_000);
      await freeSpace();
      const job = await service.client.waitFor(id, () => {});
      expect(job).toMatchObject({ status: "succeeded", error: null });
      expect(await digestOf(service.client, job)).toBe(expected);
    }, { kib: 64 * 1024, left: 0 }));
  await Deno.remove(folder, { recursive: true });
});
