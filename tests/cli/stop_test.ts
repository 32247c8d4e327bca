import { expect } from "expect";
import { DatabaseSync } from "node:sqlite";
import type { JobView } from "../../cli/client.ts";
import { type ServiceProcess, startProcess } from "../../cli/process.ts";

const training = {
  kind: "pretrain",
  model: { depth: 1, decoder_depth: 1 },
  dataset: { id: "digits", size: 1024, seed: 5 },
  batch_size: 64,
  epochs: 1000,
};

/** Reads an event stream until its text matches, and returns a function that reads the rest. */
async function eventsUntil(response: Response, fits: (text: string) => boolean) {
  const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = "";
  while (!fits(text)) {
    const { done, value } = await reader.read();
    if (done) throw new Error(`The stream ended with: ${text}`);
    text += value;
  }
  const rest = async () => {
    for (let piece = await reader.read(); !piece.done; piece = await reader.read()) text += piece.value;
    return text;
  };
  return { rest };
}

/** Sends a request and waits until the server has received it. @returns the response's body, which arrives later */
async function sendWithoutWaiting(
  service: ServiceProcess,
  lines: string[],
  body = "",
): Promise<() => Promise<JobView>> {
  const { hostname, port } = new URL(service.url);
  const connection = await Deno.connect({ hostname, port: Number(port) });
  const head = [...lines, "Host: localhost", "Connection: close", `Content-Length: ${body.length}`, "", body];
  await connection.write(new TextEncoder().encode(head.join("\r\n")));
  // The server accepts connections in order, so a response on a later connection shows that it has accepted the first.
  await (await service.client.send("/healthz")).text();
  return async () => {
    const text = await new Response(connection.readable).text();
    expect(text).toMatch(/^HTTP\/1\.1 20[01] /);
    return JSON.parse(text.split("\r\n\r\n")[1]);
  };
}

const clean = /Uncaught|BadResource|error:/i;

Deno.test("on SIGTERM a service hands jobs back, answers waiting requests, ends streams and exits with 0", async () => {
  const folder = await Deno.makeTempDir();
  let id: string;
  {
    await using service = await startProcess("start", folder);
    const { client } = service;
    ({ id } = await client.createJob(training));
    const events = await eventsUntil(
      await client.send(`/v1/jobs/${id}/events`, { headers: { accept: "text/event-stream" } }),
      (text) => text.includes("event: progress"),
    );
    const rest = events.rest();
    const wait = await sendWithoutWaiting(service, [`GET /v1/jobs/${id}?wait=60 HTTP/1.1`]);
    const preferred = await sendWithoutWaiting(
      service,
      ["POST /v1/jobs HTTP/1.1", "Content-Type: application/json", "Prefer: wait=60"],
      JSON.stringify({ ...training, name: "second" }),
    );
    const { code, output } = await service.end("SIGTERM");
    expect({ code, output }).toEqual({ code: 0, output: expect.not.stringMatching(clean) });
    expect(await wait()).toMatchObject({ id, status: "queued" });
    expect(await preferred()).toMatchObject({ name: "second", status: "queued" });
    const text = await rest;
    expect(text).toContain('"status":"queued"');
    expect(text).not.toContain("event: end");
  }
  await using service = await startProcess("start", folder);
  const events = await eventsUntil(
    await service.client.send(`/v1/jobs/${id}/events?after=1`, { headers: { accept: "text/event-stream" } }),
    (text) => /"status":"queued"[^]*"status":"running"/.test(text),
  );
  expect(await (await service.client.send(`/v1/jobs/${id}`)).json()).toMatchObject({
    status: "running",
    attempt: 2,
    interruptions: 0,
  });
  expect((await service.end("SIGINT")).code).toBe(0);
  await events.rest();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("on SIGTERM an API without a runner answers waiting requests and ends streams", async () => {
  const folder = await Deno.makeTempDir();
  await using service = await startProcess("api", folder);
  const { client } = service;
  const { id } = await client.createJob(training);
  const events = await eventsUntil(
    await client.send(`/v1/jobs/${id}/events`, { headers: { accept: "text/event-stream" } }),
    (text) => text.includes("id: 1"),
  );
  const rest = events.rest();
  const wait = await sendWithoutWaiting(service, [`GET /v1/jobs/${id}?wait=60 HTTP/1.1`]);
  const { code, output } = await service.end("SIGTERM");
  expect({ code, output }).toEqual({ code: 0, output: expect.not.stringMatching(clean) });
  expect(await wait()).toMatchObject({ id, status: "queued" });
  expect(await rest).not.toContain("event: end");
  await Deno.remove(folder, { recursive: true });
});

/** Starts a job and locks the database once the job has made progress. @returns the connection that holds the lock */
async function lockWhileTraining(api: ServiceProcess, folder: string): Promise<DatabaseSync> {
  const { id } = await api.client.createJob(training);
  await eventsUntil(
    await api.client.send(`/v1/jobs/${id}/events`, { headers: { accept: "text/event-stream" } }),
    (text) => text.includes("event: progress"),
  );
  const lock = new DatabaseSync(`${folder}/kv.sqlite3`);
  // The runner may be writing at this moment.
  lock.exec("PRAGMA busy_timeout = 10000; BEGIN EXCLUSIVE");
  return lock;
}

Deno.test("a second signal exits the process immediately", async () => {
  const folder = await Deno.makeTempDir();
  await using api = await startProcess("api", folder);
  const stopping = Promise.withResolvers<void>();
  await using runner = await startProcess("runner", folder, { UNMASK_STOP_SECONDS: "600" }, (output) => {
    if (output.includes("SIGTERM: stopping")) stopping.resolve();
  });
  using lock = await lockWhileTraining(api, folder);
  Deno.kill(runner.pid, "SIGTERM");
  await stopping.promise;
  expect((await runner.end("SIGTERM")).code).toBe(143);
  lock.exec("ROLLBACK");
  await api.end("SIGTERM");
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a runner that cannot hand its job back exits at its deadline", async () => {
  const folder = await Deno.makeTempDir();
  await using api = await startProcess("api", folder);
  await using runner = await startProcess("runner", folder, { UNMASK_STOP_SECONDS: "2" });
  using lock = await lockWhileTraining(api, folder);
  const { code, output } = await runner.end("SIGTERM");
  expect({ code, output }).toEqual({
    code: 1,
    output: expect.stringMatching(/handing jobs back took longer than 1\.5 s/),
  });
  lock.exec("ROLLBACK");
  await api.end("SIGTERM");
  await Deno.remove(folder, { recursive: true });
});

/** Returns the ids of the processes that a process has started. */
async function childrenOf(pid: number): Promise<number[]> {
  const children: number[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await Deno.readTextFile(`/proc/${name}/stat`).catch(() => "");
    if (Number(stat.slice(stat.lastIndexOf(")") + 2).split(" ")[1]) === pid) children.push(Number(name));
  }
  return children;
}

Deno.test({
  name: "an API that stops leaves no inference process",
  ignore: Deno.build.os !== "linux",
  fn: async () => {
    const folder = await Deno.makeTempDir();
    {
      await using service = await startProcess("api", folder, { UNMASK_VECTORS: "128" });
      let children: number[] = [];
      while (children.length === 0) children = await childrenOf(service.pid);
      expect((await service.end("SIGTERM")).code).toBe(0);
      for (const child of children) {
        await expect(Deno.stat(`/proc/${child}`)).rejects.toThrow(Deno.errors.NotFound);
      }
    }
    await Deno.remove(folder, { recursive: true });
  },
});
