import { expect } from "expect";
import { problemOf, TestApi } from "./fixtures.ts";

/** A block of an event stream. */
interface Block {
  readonly comment?: string;
  readonly retry?: string;
  readonly id?: string;
  readonly event?: string;
  readonly data?: string;
}

/** Yields the blocks of a stream. Ending the iteration early disconnects like a client. */
async function* blocks(response: Response): AsyncGenerator<Block, void> {
  let text = "";
  for await (const chunk of response.body!.pipeThrough(new TextDecoderStream())) {
    text += chunk;
    for (let end; (end = text.indexOf("\n\n")) !== -1; text = text.slice(end + 2)) {
      const fields = text.slice(0, end).split("\n").map((line) => {
        const [name, ...value] = line.split(": ");
        return [name || "comment", value.join(": ")];
      });
      yield Object.fromEntries(fields);
    }
  }
}

/** Returns the remaining blocks of a stream. */
async function rest(stream: AsyncGenerator<Block, void>): Promise<Block[]> {
  const all: Block[] = [];
  for await (const block of stream) all.push(block);
  return all;
}

const sse = { accept: "text/event-stream" };
const path = (id: string, query = "") => `/v1/jobs/${id}/events${query}`;
const NOT_FINITE = { code: "loss_not_finite", message: "The loss is NaN" };

async function streams(api: TestApi): Promise<string> {
  return /^unmask_event_streams (\d+)$/m.exec(await (await api.send("/metrics")).text())![1];
}

Deno.test("events come in pages, oldest first", async () => {
  await using api = await TestApi.open();
  const { id, claim } = await api.running();
  await claim.record({
    backend: { name: "cpu", notes: ["no GPU"] },
    progress: { step: 1, totalSteps: 4, epoch: 0, loss: 2, imagesPerSecond: 8, etaSeconds: 3 },
    logs: [{ level: "warning", message: "slow" }],
  });
  const all = await (await api.send(path(id))).json();
  expect(all).toMatchObject({ object: "list", has_more: false, next: null });
  expect(all.data.map(({ type, level }: { type: string; level: string }) => `${type} ${level}`)).toEqual(
    ["status info", "status info", "log info", "progress info", "log warning"],
  );
  expect(all.data[3].data).toEqual({
    step: 1,
    total_steps: 4,
    epoch: 0,
    loss: 2,
    images_per_second: 8,
    eta_seconds: 3,
  });
  expect(all.data[4]).toMatchObject({ message: "slow", created_at: expect.stringMatching(/Z$/) });

  const paged = [];
  for (let after = "0", more = true; more;) {
    const page = await (await api.send(path(id, `?limit=2&after=${after}`))).json();
    expect(page.data.length).toBeLessThanOrEqual(2);
    paged.push(...page.data);
    more = page.has_more;
    after = page.next;
  }
  expect(paged).toEqual(all.data);
});

Deno.test("a stream emits events as they are recorded, and ends when the job is finished", async () => {
  await using api = await TestApi.open();
  const { id, claim } = await api.running();
  const response = await api.send(path(id), { headers: sse });
  expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
  expect(response.headers.get("cache-control")).toBe("no-store");
  const stream = blocks(response);
  expect((await stream.next()).value).toEqual({ retry: "2000" });
  for (const status of ["queued", "running"]) {
    const { value } = await stream.next();
    expect(value).toMatchObject({ event: "status" });
    expect(JSON.parse(value!.data!)).toMatchObject({ data: { status }, seq: Number(value!.id) });
  }
  await claim.record({ logs: [{ level: "info", message: "one\n\nevent: end\ndata: {}\n\n" }] });
  const { value: log } = await stream.next();
  expect(log!.event).toBe("log");
  expect(JSON.parse(log!.data!).message).toBe("one\n\nevent: end\ndata: {}\n\n");
  await claim.finish({ type: "failed", error: NOT_FINITE });
  const [failed, end, ...more] = await rest(stream);
  expect(JSON.parse(failed.data!)).toMatchObject({
    level: "error",
    message: "Failed: The loss is NaN",
    data: { status: "failed", error: NOT_FINITE },
  });
  expect(end).toEqual({ event: "end", data: "{}" });
  expect(more).toEqual([]);
});

Deno.test("an interrupted stream continues after the last received event, without gaps or repetitions", async () => {
  await using api = await TestApi.open();
  const { id, claim } = await api.running();
  const logs = (...messages: string[]) => messages.map((message) => ({ level: "info" as const, message }));
  await claim.record({ logs: logs("a", "b", "c") });
  const seen: string[] = [];
  for await (const block of blocks(await api.send(path(id), { headers: sse }))) {
    if (block.id !== undefined) seen.push(block.id);
    if (seen.length === 3) break;
  }
  await claim.record({ logs: logs("d") });
  await claim.finish({ type: "succeeded", result: {} });
  const again = await api.send(path(id), { headers: { ...sse, "last-event-id": seen.at(-1)! } });
  const later = (await rest(blocks(again))).filter((block) => block.id !== undefined);
  const all = await (await api.send(path(id))).json();
  expect([...seen, ...later.map((block) => block.id)]).toEqual(
    all.data.map(({ seq }: { seq: number }) => String(seq)),
  );
  expect(later.map((block) => JSON.parse(block.data!).message)).toEqual(["b", "c", "d", "Succeeded"]);

  const byQuery = await rest(blocks(await api.send(path(id, `?after=${seen.at(-1)}`), { headers: sse })));
  expect(byQuery.filter((block) => block.id !== undefined)).toEqual(later);
  const last = all.data.at(-1).seq;
  const nothing = await api.send(path(id), { headers: { ...sse, "last-event-id": String(last) } });
  expect(await rest(blocks(nothing))).toEqual([{ retry: "2000" }, { event: "end", data: "{}" }]);
});

Deno.test("a stream without events sends heartbeats, and is closed when its client disconnects", async () => {
  await using api = await TestApi.open({ heartbeatMs: 10, streams: 1 });
  const id = await api.job();
  const stream = blocks(await api.send(path(id), { headers: sse }));
  const first = [];
  for await (const block of stream) {
    first.push(block.comment ?? block.event ?? "retry");
    if (first.length === 4) {
      expect(await streams(api)).toBe("1");
      const full = await api.send(path(id), { headers: sse });
      expect(full.headers.get("retry-after")).toBe("10");
      await problemOf(full, 503);
      break;
    }
  }
  expect(first).toEqual(["retry", "status", "heartbeat", "heartbeat"]);
  expect(await streams(api)).toBe("0");
  await blocks(await api.send(path(id), { headers: sse })).return();
});

Deno.test("a HEAD request opens no event stream", async () => {
  await using api = await TestApi.open({ streams: 1 });
  const id = await api.job();
  for (let i = 0; i < 3; i++) {
    const head = await api.send(path(id), { method: "HEAD", headers: sse });
    expect([head.status, head.headers.get("content-type")]).toEqual([
      200,
      "text/event-stream; charset=utf-8",
    ]);
  }
  expect(await streams(api)).toBe("0");
});

Deno.test("the stream of a job that is deleted ends", async () => {
  await using api = await TestApi.open();
  const id = await api.job();
  const stream = blocks(await api.send(path(id), { headers: sse }));
  await stream.next();
  expect((await stream.next()).value).toMatchObject({ event: "status" });
  expect((await api.send(`/v1/jobs/${id}`, { method: "DELETE" })).status).toBe(204);
  expect((await rest(stream)).at(-1)).toEqual({ event: "end", data: "{}" });
  await problemOf(await api.send(path(id), { headers: sse }), 404);
});

Deno.test("an invalid event id, cursor or limit is rejected by its field", async () => {
  await using api = await TestApi.open();
  const id = await api.job();
  for (const last of ["-1", "1.5", "abc", "9007199254740993"]) {
    const problem = await problemOf(
      await api.send(path(id), { headers: { ...sse, "last-event-id": last } }),
      422,
    );
    expect(problem.errors.map((error) => error.path)).toEqual(["last-event-id"]);
  }
  for (const query of ["after=-1", "after=x", "limit=0", "limit=501"]) {
    const problem = await problemOf(await api.send(path(id, `?${query}`)), 422);
    expect(problem.errors.map((error) => error.path)).toEqual([query.split("=")[0]]);
  }
});

Deno.test("streams of one job share the encoded bytes of an event", async () => {
  await using api = await TestApi.open();
  const { id, claim } = await api.running();
  const open = async () => (await api.send(path(id, "?after=2"), { headers: sse })).body!.getReader();
  const readers = await Promise.all([open(), open(), open()]);
  for (const reader of readers) await reader.read();
  const next = Promise.all(readers.map((reader) => reader.read()));
  await claim.record({ logs: [{ level: "info", message: "one" }] });
  const [first, ...others] = (await next).map(({ value }) => value!);
  expect(new TextDecoder().decode(first)).toMatch(/^id: 3\nevent: log\ndata: .*"one".*\n\n$/);
  for (const other of others) expect(other).toBe(first);
  for (const reader of readers) await reader.cancel();
});

Deno.test("a stream that its client does not read is closed, and another one can open", async () => {
  await using api = await TestApi.open({ stalledMs: 20, heartbeatMs: 5, streams: 1 });
  const { id, claim } = await api.running();
  for (const reads of [0, 2]) {
    const reader = (await api.send(path(id), { headers: sse })).body!.getReader();
    for (let i = 0; i < reads; i++) expect((await reader.read()).done).toBe(false);
    while (await streams(api) !== "0") await new Promise((resolve) => setTimeout(resolve, 5));
    const drained = async () => {
      while (!(await reader.read()).done);
    };
    await expect(drained()).rejects.toThrow("does not read its event stream");
  }
  // A client that reads keeps its stream, even if there are no events.
  const stream = blocks(await api.send(path(id), { headers: sse }));
  const kinds = [];
  while (kinds.length < 20) {
    const { value } = await stream.next();
    kinds.push(value!.comment ?? value!.event ?? "retry");
  }
  expect(kinds.filter((kind) => kind === "heartbeat")).toHaveLength(17);
  await claim.finish({ type: "succeeded", result: {} });
  const ending = (await rest(stream)).filter(({ comment }) => comment === undefined);
  expect(ending.map(({ event }) => event)).toEqual(["status", "end"]);
});

Deno.test("over real connections, a client that disconnects or never reads frees its stream", async () => {
  await using api = await TestApi.open({ stalledMs: 100, heartbeatMs: 50 });
  await using server = await api.listen();
  const { id, claim } = await api.running();
  const open = async () => {
    const connection = await Deno.connect({ hostname: "127.0.0.1", port: server.port });
    const lines = [`GET ${path(id)} HTTP/1.1`, "Host: x", "Accept: text/event-stream", "", ""];
    await connection.write(new TextEncoder().encode(lines.join("\r\n")));
    return connection;
  };
  const ended = async () => {
    while (await streams(api) !== "0") await new Promise((resolve) => setTimeout(resolve, 10));
  };
  const connections = await Promise.all(Array.from({ length: 5 }, open));
  for (const connection of connections) await connection.read(new Uint8Array(100));
  expect(await streams(api)).toBe("5");
  for (const connection of connections) connection.close();
  await ended();

  // More than the buffers of two sockets hold.
  const message = "x".repeat(4000);
  for (let part = 0; part < 50; part++) {
    await claim.record({
      logs: Array.from({ length: 100 }, () => ({ level: "info" as const, message })),
    });
  }
  using connection = await open();
  await connection.read(new Uint8Array(10));
  await ended();
});
