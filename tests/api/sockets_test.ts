import { expect } from "expect";
import { TestApi } from "./fixtures.ts";
import { sendRaw, status } from "./rawHttp.ts";

const head = (...lines: string[]) =>
  ["POST /v1/jobs HTTP/1.1", "Host: x", "Content-Type: application/json", ...lines, "", ""].join("\r\n");

Deno.test("bodies with a wrong length, without an end or sent too slowly are rejected, and the server keeps working", async (t) => {
  await using api = await TestApi.open({ bodyIdleMs: 300, bodyTotalMs: 1_500, jsonBytes: 4096 });
  await using server = await api.listen({ bodyIdleMs: 300, headMs: 300 });
  const { port } = server;
  const chunk = `${(1024).toString(16)}\r\n${" ".repeat(1024)}\r\n`;
  const body = '{"kind":"pretrain","dataset":"digits"}';
  const table: [title: string, chunks: string[], expected: number][] = [
    ["a chunked body above the cap, without a length", [
      head("Transfer-Encoding: chunked"),
      ...Array(64).fill(chunk),
    ], 413],
    ["a length above the cap", [head("Content-Length: 1000000"), "{"], 413],
    ["a body shorter than its length", [head("Content-Length: 500"), body], 408],
    ["a body that stops in a chunk", [head("Transfer-Encoding: chunked"), "400\r\n{"], 408],
    ["a negative length", [head("Content-Length: -5"), body], 400],
    ["two lengths", [head("Content-Length: 5", "Content-Length: 500"), body], 400],
    ["a length that is no number", [head("Content-Length: five"), body], 400],
    ["headers of 40 KB", [head(`X-Filler: ${"a".repeat(40_960)}`, "Content-Length: 2"), "{}"], 431],
    ["headers above the limit of the HTTP parser", [
      head(`X-Filler: ${"a".repeat(65_536)}`, "Content-Length: 2"),
      "{}",
    ], 431],
  ];
  for (const [title, chunks, expected] of table) {
    await t.step(title, async () => {
      const before = await api.traces();
      const response = await sendRaw(port, ...chunks);
      expect({ status: status(response), response: response.slice(0, 300) }).toMatchObject({
        status: expected,
      });
      expect(await api.traces()).toEqual(before);
    });
  }
  await t.step("a slow body is rejected when the total time is over", async () => {
    using connection = await Deno.connect({ hostname: "127.0.0.1", port });
    await connection.write(new TextEncoder().encode(head("Content-Length: 4000")));
    let dripping = true;
    const drips = (async () => {
      while (dripping) {
        await connection.write(new TextEncoder().encode(" ")).catch(() => {});
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    })();
    const buffer = new Uint8Array(1024);
    const read = await connection.read(buffer);
    dripping = false;
    await drips;
    expect(status(new TextDecoder().decode(buffer.subarray(0, read ?? 0)))).toBe(408);
  });
  await t.step("a valid request still succeeds", async () => {
    const response = await sendRaw(port, head(`Content-Length: ${body.length}`), body);
    expect(status(response)).toBe(201);
  });
});
