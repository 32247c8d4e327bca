import { expect } from "expect";
import { listen } from "../../api/server/listen.ts";
import { TestApi } from "./fixtures.ts";
import { status } from "./rawHttp.ts";

/** Writes headers and an endless body. @returns the response, and the bytes written until the connection broke */
async function endless(
  port: number,
  head: string[],
  chunk: string,
): Promise<{ response: string; sent: number }> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  const encoder = new TextEncoder();
  let response = "", sent = 0;
  const reading = (async () => {
    const buffer = new Uint8Array(16_384);
    for (let read; (read = await connection.read(buffer).catch(() => null)) !== null;) {
      response += new TextDecoder().decode(buffer.subarray(0, read));
    }
  })();
  const writing = (async () => {
    await connection.write(encoder.encode([...head, "", ""].join("\r\n")));
    for (const bytes = encoder.encode(chunk);; sent += bytes.length) await connection.write(bytes);
  })().catch(() => {});
  await Promise.all([reading, writing]);
  return { response, sent };
}

const SPACES = " ".repeat(65_536);
const CHUNK = `${SPACES.length.toString(16)}\r\n${SPACES}\r\n`;

Deno.test("an endless rejected body is read up to a limit, then the client gets the response and the connection closes", async (t) => {
  await using api = await TestApi.open();
  await using server = await api.listen();
  const table: [title: string, line: string, type: string, expected: number][] = [
    ["a body above the cap", "POST /v1/jobs", "application/json", 413],
    ["a body of another type", "POST /v1/jobs", "text/plain", 415],
    ["a method that is not allowed", "POST /healthz", "application/json", 405],
    ["an unknown path", "POST /nothing", "application/json", 404],
    ["a method without a body", "GET /healthz", "application/json", 200],
    ["a cancel", "POST /v1/jobs/job_01JD0000000000000000000000/cancel", "application/json", 404],
    ["a delete", "DELETE /v1/jobs/job_01JD0000000000000000000000", "application/json", 404],
    ["an upload of another type", "POST /v1/datasets", "text/plain", 415],
    ["a foreign page's write", "POST /v1/jobs", "application/json\r\nOrigin: http://evil.example", 403],
    ["a bad Host", "POST /v1/jobs", "application/json\r\nHost: y", 400],
  ];
  const bodies: [field: string, chunk: string][] = [
    ["Content-Length: 100000000000", SPACES],
    ["Transfer-Encoding: chunked", CHUNK],
  ];
  for (const [title, line, type, expected] of table) {
    for (const [field, chunk] of bodies) {
      await t.step(`${title}, ${field}`, async () => {
        const head = [`${line} HTTP/1.1`, "Host: x", `Content-Type: ${type}`, field];
        const { response, sent } = await endless(server.port, head, chunk);
        expect(status(response)).toBe(expected);
        expect(response).toMatch(/\r\nconnection: close\r\n/i);
        // The discarded bytes, and the operating system's buffers of a connection.
        expect(sent).toBeLessThan(64 * 2 ** 20);
      });
    }
  }
  expect(await api.traces()).toEqual([]);
});

/** Reads from a connection until it is closed. */
async function untilClosed(
  port: number,
  write: (connection: Deno.Conn) => Promise<unknown>,
): Promise<string> {
  using connection = await Deno.connect({ hostname: "127.0.0.1", port });
  let text = "";
  const buffer = new Uint8Array(16_384);
  const writing = write(connection).catch(() => {});
  for (let read; (read = await connection.read(buffer).catch(() => null)) !== null;) {
    text += new TextDecoder().decode(buffer.subarray(0, read));
  }
  await writing;
  return text;
}

Deno.test("time limits apply to headers, to idle connections and to responses that are not read", async (t) => {
  await using api = await TestApi.open();
  await using server = await api.listen({ headMs: 300, keepAliveMs: 200 });
  const send = (text: string) => (connection: Deno.Conn) => connection.write(new TextEncoder().encode(text));

  await t.step("headers that arrive slowly", async () => {
    const response = await untilClosed(server.port, async (connection) => {
      await send("GET /healthz HTTP/1.1\r\nHost: x\r\n")(connection);
      for (let i = 0;; i++) {
        await send(`X-${i}: y\r\n`)(connection);
        await new Promise((resolve) => setTimeout(resolve, 20));
      }
    });
    expect(status(response)).toBe(408);
    expect(response).toContain("application/problem+json");
  });
  await t.step("a connection without a request", async () => {
    await untilClosed(server.port, () => Promise.resolve());
  });
  await t.step("an idle connection after a request", async () => {
    const response = await untilClosed(server.port, send("GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"));
    expect(status(response)).toBe(200);
  });
  await t.step("a client that sends Connection: close", async () => {
    const response = await untilClosed(
      server.port,
      send("GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"),
    );
    expect(response).toMatch(/\r\nconnection: close\r\n/i);
  });
  await t.step("input that is not HTTP", async () => {
    const response = await untilClosed(server.port, send("\x16\x03\x01\x02\r\n\r\n"));
    expect(status(response)).toBe(400);
  });
  await t.step("a response that is not read", async () => {
    const cancelled = Promise.withResolvers<void>();
    const endlessResponse = () =>
      new Response(
        new ReadableStream({
          pull: (controller) => controller.enqueue(new Uint8Array(65_536)),
          cancel: () => cancelled.resolve(),
        }),
      );
    const logged: string[] = [];
    const other = await listen(endlessResponse, {
      port: 0,
      host: "127.0.0.1",
      limits: { writeIdleMs: 200 },
      log: (message, error) => logged.push(`${message} ${error}`),
    });
    using connection = await Deno.connect({ hostname: "127.0.0.1", port: other.port });
    await send("GET / HTTP/1.1\r\nHost: x\r\n\r\n")(connection);
    await cancelled.promise;
    await other.close(0);
    expect(logged).toEqual([expect.stringContaining("does not read its response")]);
  });
});

Deno.test("a client that sends Expect: 100-continue gets 100 only if its body is read", async () => {
  await using api = await TestApi.open();
  await using server = await api.listen();
  const send = (type: string) =>
    untilClosed(server.port, async (connection) => {
      const head = ["POST /v1/jobs HTTP/1.1", "Host: x", "Expect: 100-continue", `Content-Type: ${type}`];
      const fields = ["Connection: close", "Content-Length: 38", "", ""];
      await connection.write(new TextEncoder().encode([...head, ...fields].join("\r\n")));
      if (type === "application/json") {
        await connection.write(new TextEncoder().encode('{"kind":"pretrain","dataset":"digits"}'));
      }
    });
  expect(await send("application/json")).toMatch(/^HTTP\/1\.1 100 [^]*HTTP\/1\.1 201 /);
  expect(await send("text/plain")).toMatch(/^HTTP\/1\.1 415 /);
});

Deno.test("a response whose source fails is truncated detectably, and does not expose the cause", async () => {
  const logged: unknown[] = [];
  const broken = () =>
    new Response(
      new ReadableStream({
        pull(controller) {
          if (logged.length === 0) controller.enqueue(new TextEncoder().encode("first "));
          logged.push("pulled");
          if (logged.length > 2) controller.error(new Error("secret reason"));
        },
      }),
      { headers: { "content-length": "100" } },
    );
  const errors: unknown[] = [];
  const server = await listen(broken, { port: 0, host: "127.0.0.1", log: (_, error) => errors.push(error) });
  const response = await untilClosed(
    server.port,
    (connection) => connection.write(new TextEncoder().encode("GET / HTTP/1.1\r\nHost: x\r\n\r\n")),
  );
  expect(response).not.toContain("secret");
  expect(errors).toEqual([expect.objectContaining({ message: "secret reason" })]);
  await server.close(0);
});
