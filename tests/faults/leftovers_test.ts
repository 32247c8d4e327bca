import { expect } from "expect";
import { pause } from "../../data/backoff.ts";
import type { JobView } from "../../cli/client.ts";
import { type ServiceProcess, startProcess } from "../../cli/process.ts";

/** A checkpoint is written after each step, so that a kill is likely to interrupt the writing of one. */
const TRAINING = {
  kind: "pretrain",
  model: { patch_size: 7, embed_dim: 32, depth: 1, decoder_depth: 1, dropout: 0.1 },
  dataset: { id: "digits", size: 256, seed: 5 },
  batch_size: 8,
  max_steps: 200,
  checkpoint_every: { steps: 1 },
  keep: { last: 4 },
};
const SWEEPING = { UNMASK_SWEEP_SECONDS: "1" };

/** Returns the relative paths of all files in a folder and its subfolders. */
async function filesBelow(folder: string, prefix = ""): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(folder)) {
    if (isDirectory) files.push(...await filesBelow(`${folder}/${name}`, `${prefix}${name}/`));
    else files.push(prefix + name);
  }
  return files.sort();
}

/** Waits until the files in a folder fulfil a condition. @returns the files */
async function waitForFiles(folder: string, condition: (files: string[]) => boolean): Promise<string[]> {
  while (true) {
    const files = await filesBelow(folder).catch(() => []);
    if (condition(files)) return files;
    await pause(50);
  }
}

const getJob = async ({ client }: ServiceProcess, id: string): Promise<JobView> =>
  await (await client.send(`/v1/jobs/${id}`)).json();

async function checkpointsOf({ client }: ServiceProcess, id: string): Promise<string[]> {
  const { data } = await (await client.send(`/v1/jobs/${id}/checkpoints?limit=100`)).json();
  return data.map((row: { id: string }) => row.id);
}

Deno.test("after kills during the writing and removal of checkpoints, only the files of recorded checkpoints remain", async () => {
  const folder = await Deno.makeTempDir();
  let id = "";
  for (let kill = 0; kill < 2; kill++) {
    await using service = await startProcess("start", folder, SWEEPING);
    if (kill === 0) ({ id } = await service.client.createJob(TRAINING));
    const firstStep = (await getJob(service, id)).progress?.step ?? 0;
    while (((await getJob(service, id)).progress?.step ?? 0) < firstStep + 12);
    await service.end("SIGKILL");
  }
  await using service = await startProcess("start", folder, SWEEPING);
  await service.client.waitFor(id, () => {});
  const kept = await checkpointsOf(service, id);
  expect(kept.length).toBe(4);
  const expected = kept.flatMap((id) => [`${id}.safetensors`, `${id}.state.safetensors`]).sort();
  expect(await waitForFiles(`${folder}/objects/checkpoints`, ({ length }) => length <= expected.length))
    .toEqual(
      expected,
    );
  await service.end("SIGKILL");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a deletion interrupted by a kill is finished by the next one, and no file remains", async () => {
  const folder = await Deno.makeTempDir();
  let id = "";
  {
    await using service = await startProcess("start", folder);
    ({ id } = await service.client.createJob({ ...TRAINING, max_steps: 60, keep: { last: 60 } }));
    await service.client.waitFor(id, () => {});
    const objects = `${folder}/objects/checkpoints`;
    const all = await filesBelow(objects);
    expect(all.length).toBe(120);
    const deletion = fetch(`${service.url}/v1/jobs/${id}`, { method: "DELETE" }).catch(() => null);
    await waitForFiles(objects, (files) => files.length < all.length);
    await service.end("SIGKILL");
    await deletion;
  }
  await using service = await startProcess("start", folder);
  expect((await fetch(`${service.url}/v1/jobs/${id}`)).status).toBe(404);
  expect((await fetch(`${service.url}/v1/jobs/${id}`, { method: "DELETE" })).status).toBe(204);
  expect((await filesBelow(`${folder}/objects`)).filter((path) => path.includes("ckpt_"))).toEqual([]);
  expect((await fetch(`${service.url}/v1/jobs/${id}`, { method: "DELETE" })).status).toBe(404);
  await service.end("SIGKILL");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("the file of an upload interrupted by a kill is deleted after the next start", async () => {
  const folder = await Deno.makeTempDir();
  const head = '--x\r\ncontent-disposition: form-data; name="archive"; filename="a.zip"\r\n\r\n';
  const uploads = `${folder}/uploads`;
  const isPart = (path: string) => path.includes("unmask-upload-");
  {
    await using service = await startProcess("api", folder);
    const body = new ReadableStream<Uint8Array>({
      start(controller) {
        controller.enqueue(new TextEncoder().encode(head));
        controller.enqueue(new Uint8Array(500_000));
      },
      pull: () => new Promise(() => {}),
    });
    const headers = { "content-type": "multipart/form-data; boundary=x" };
    const stopping = new AbortController();
    const answer = fetch(`${service.url}/v1/datasets`, {
      method: "POST",
      headers,
      body,
      signal: stopping.signal,
    })
      .then((response) => response.body?.cancel(), () => {});
    await waitForFiles(uploads, (files) => files.some(isPart));
    await service.end("SIGKILL");
    stopping.abort();
    await answer;
  }
  expect((await filesBelow(uploads)).some(isPart)).toBe(true);
  await using service = await startProcess("api", folder, SWEEPING);
  await waitForFiles(uploads, (files) => !files.some(isPart));
  await service.end("SIGKILL");
  await Deno.remove(folder, { recursive: true });
});
