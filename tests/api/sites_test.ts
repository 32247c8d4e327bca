import { expect } from "expect";
import type { HostNames } from "../../api/http/host.ts";
import { problemOf, TestApi } from "./fixtures.ts";

const job = JSON.stringify({ kind: "pretrain", dataset: "digits" });
const json = { "content-type": "application/json" };

Deno.test("only the web pages of the service may send unsafe requests", async (t) => {
  await using api = await TestApi.open();
  const table: [title: string, headers: Record<string, string>, expected: number][] = [
    ["a program", { host: "localhost:8000" }, 201],
    ["the same origin", {
      host: "localhost:8000",
      origin: "http://localhost:8000",
      "sec-fetch-site": "same-origin",
    }, 201],
    ["the same origin behind TLS", { host: "example.com", origin: "https://example.com" }, 201],
    ["the same origin on the usual port", { host: "example.com:443", origin: "https://example.com" }, 201],
    ["an address typed by a person", { host: "localhost:8000", "sec-fetch-site": "none" }, 201],
    ["a foreign page", { host: "localhost:8000", origin: "http://evil.example" }, 403],
    ["a page that the browser reports as cross-site", {
      host: "localhost:8000",
      "sec-fetch-site": "cross-site",
    }, 403],
    ["another port", {
      host: "localhost:8000",
      origin: "http://localhost:3000",
      "sec-fetch-site": "same-site",
    }, 403],
    [
      "another port, without Sec-Fetch-Site",
      { host: "localhost:8000", origin: "http://localhost:3000" },
      403,
    ],
    ["another name of this machine", { host: "localhost:8000", origin: "http://127.0.0.1:8000" }, 403],
    ["a page without an origin", { host: "localhost:8000", origin: "null" }, 403],
    ["a page of an extension", { host: "localhost:8000", origin: "chrome-extension://abc" }, 403],
    ["an invalid origin", { host: "localhost:8000", origin: "localhost:8000" }, 403],
  ];
  for (const [title, headers, expected] of table) {
    await t.step(title, async () => {
      const before = await api.traces();
      const response = await api.send("/v1/jobs", {
        method: "POST",
        headers: { ...json, ...headers },
        body: job,
      });
      if (expected === 201) return expect(response.status).toBe(201);
      await problemOf(response, 403);
      expect(await api.traces()).toEqual(before);
    });
  }
  await t.step("every unsafe method is rejected, and reading is allowed", async () => {
    const headers = { host: "localhost", origin: "http://evil.example" };
    const id = "job_01JD0000000000000000000000";
    await problemOf(await api.send(`/v1/jobs/${id}`, { method: "DELETE", headers }), 403);
    await problemOf(await api.send(`/v1/jobs/${id}/cancel`, { method: "POST", headers }), 403);
    await problemOf(await api.send("/v1/datasets", { method: "POST", headers, body: new FormData() }), 403);
    expect((await api.send("/v1/jobs", { headers })).status).toBe(200);
  });
});

Deno.test("a Host that is not accepted is rejected: with loopback names only, and with a list", async () => {
  const statuses = async (hosts: HostNames, names: string[]) => {
    await using api = await TestApi.open({}, undefined, hosts);
    return await Promise.all(
      names.map(async (host) => (await api.send("/v1/jobs", { headers: { host } })).status),
    );
  };
  const loopback = [
    "localhost",
    "LOCALHOST:8000",
    "localhost.",
    "app.localhost",
    "127.0.0.1:80",
    "127.8.9.10",
    "[::1]:8000",
  ];
  const foreign = [
    "evil.example",
    "127.0.0.1.evil.example",
    "localhost.evil.example",
    "192.168.0.1",
    "[::2]",
    "0.0.0.0",
  ];
  expect(await statuses([], loopback)).toEqual(loopback.map(() => 200));
  expect(await statuses([], foreign)).toEqual(foreign.map(() => 421));
  expect(await statuses("any", [...loopback, ...foreign])).toEqual([...loopback, ...foreign].map(() => 200));
  expect(await statuses(["example.com"], ["Example.com:8000", "localhost", "a.example.com"])).toEqual([
    200,
    200,
    421,
  ]);
});
