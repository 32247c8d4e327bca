import { expect } from "expect";
import { startProcess } from "../../cli/process.ts";
import { findDenokv, startDenokv } from "../setup/denokv.ts";

const ignore = await findDenokv() === null;
const training = {
  kind: "pretrain",
  model: { depth: 1, decoder_depth: 1 },
  dataset: { id: "digits", size: 1024 },
  batch_size: 64,
  epochs: 1000,
};

Deno.test({
  name: "denokv: in an outage of the database, the service waits at its start and not at its stop",
  ignore,
  async fn() {
    const folder = await Deno.makeTempDir();
    await using database = (await startDenokv())!;
    const env = { ...database.env, UNMASK_KV: database.url, UNMASK_STOP_SECONDS: "3" };
    await database.signal("SIGKILL");
    let restarted: Promise<void> | null = null;
    await using service = await startProcess("start", folder, env, (output) => {
      if (output.includes("cannot be reached, trying again")) restarted ??= database.restart();
    });
    await restarted;
    const { client } = service;
    const { id } = await client.createJob(training);
    const events = await client.send(`/v1/jobs/${id}/events`, { headers: { accept: "text/event-stream" } });
    const reader = events.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes("event: progress")) text += (await reader.read()).value;

    await database.signal("SIGKILL");
    const answer = await client.send(`/v1/jobs/${id}`).catch((error) => error.message);
    expect(String(answer)).toMatch(/503|unavailable/i);
    expect((await client.send("/healthz")).status).toBe(200);
    const rest = (async () => {
      for (let chunk = await reader.read(); !chunk.done; chunk = await reader.read()) text += chunk.value;
    })();
    const { code, output } = await service.end("SIGTERM");
    await rest;
    expect({ code, output }).toEqual({ code: 1, output: expect.not.stringMatching(/Uncaught|BadResource/) });
    expect(output).toMatch(/Stopping: handing jobs back took longer/);
    expect(text).not.toContain("event: end");
    await Deno.remove(folder, { recursive: true });
  },
});
