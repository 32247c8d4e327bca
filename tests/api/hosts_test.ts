import { expect } from "expect";
import { TestApi } from "./fixtures.ts";
import { sendRaw, status } from "./rawHttp.ts";

const get = (target: string, ...lines: string[]) => [`GET ${target} HTTP/1.1`, ...lines, "", ""].join("\r\n");

Deno.test("the path is taken from the request line, and a Host that is not host[:port] is rejected", async (t) => {
  await using api = await TestApi.open();
  await using server = await api.listen();
  const id = await api.job();
  const table: [title: string, request: string, expected: number, body?: RegExp][] = [
    ["a name", get("/healthz", "Host: example.com"), 200],
    ["a name in capitals, with a final dot and a port", get("/healthz", "Host: EXAMPLE.com.:8000"), 200],
    ["a name with an underscore", get("/healthz", "Host: my_service:80"), 200],
    ["an IPv4 address", get("/healthz", "Host: 192.0.2.1:8000"), 200],
    ["an IPv6 address", get("/healthz", "Host: [::1]:8000"), 200],
    ["an empty port", get("/healthz", "Host: example.com:"), 200],
    ["a space", get("/healthz", "Host: a b"), 400],
    ["a tab", get("/healthz", "Host: a\tb"), 400],
    ["a path", get("/healthz", "Host: x/v1/datasets?#"), 400],
    ["a path to the jobs", get("/healthz", `Host: x/v1/jobs/${id}?`), 400],
    ["a query", get("/healthz", "Host: x?"), 400],
    ["a fragment", get("/healthz", "Host: x#"), 400],
    ["a user", get("/healthz", "Host: user@x"), 400],
    ["a backslash", get("/healthz", "Host: x\\v1"), 400],
    ["a scheme", get("/healthz", "Host: http://x"), 400],
    ["an IPv6 address without brackets", get("/healthz", "Host: ::1"), 400],
    ["an open bracket", get("/healthz", "Host: [::1"), 400],
    ["a name in brackets", get("/healthz", "Host: [abc]"), 400],
    ["a port that is not a number", get("/healthz", "Host: x:80a"), 400],
    ["a port above 65535", get("/healthz", "Host: x:65536"), 400],
    ["two names", get("/healthz", "Host: a, b"), 400],
    ["two fields", get("/healthz", "Host: a", "Host: b"), 400],
    ["the same field twice", get("/healthz", "Host: a", "Host: a"), 400],
    ["bytes beyond ASCII", get("/healthz", "Host: hé"), 400],
    ["nothing", get("/healthz", "Host:"), 400],
    ["no Host", get("/healthz"), 400],
    ["no Host for HTTP/1.0", "GET /healthz HTTP/1.0\r\n\r\n", 200],
    ["an absolute target", get("http://other/healthz", "Host: a"), 200],
    [
      "an absolute target without a path",
      get("http://other", "Host: a", "Connection: close"),
      200,
      /<!doctype html>/i,
    ],
    ["an absolute target with a bad host", get("http://a b/healthz", "Host: a"), 400],
    ["an absolute target with a user", get("http://user@a/healthz", "Host: a"), 400],
    ["an absolute target with a path in its host", get("http://a\\v1/healthz", "Host: a"), 400],
    ["an absolute target of another scheme", get("ftp://a/healthz", "Host: a"), 400],
    ["an absolute target without Host", get("http://other/healthz"), 400],
    ["a target without a slash", get("healthz", "Host: a"), 400],
    ["a fragment in the target", get("/healthz#/../v1/jobs", "Host: a"), 400],
    ["a backslash in the target", get("/healthz\\..\\v1\\jobs", "Host: a"), 400],
    ["dots in the target", get("/healthz/../v1/jobs", "Host: a"), 400],
    ["escaped dots in the target", get("/healthz/%2e%2E/v1/jobs", "Host: a"), 400],
    ["two slashes", get("//other/healthz", "Host: a"), 404],
    ["dots in the query", get("/healthz?x=/../v1", "Host: a"), 422],
  ];
  for (const [title, request, expected, body] of table) {
    await t.step(title, async () => {
      const response = await sendRaw(server.port, request);
      expect({ request, status: status(response.replace("HTTP/1.0", "HTTP/1.1")) }).toEqual({
        request,
        status: expected,
      });
      if (body) expect(response).toMatch(body);
      if (expected >= 400) expect(response).toMatch(/content-type: application\/problem\+json/i);
      if (expected < 400 && !body) expect(response).toContain('{"status":"ok"}');
      expect(api.log.filter(({ level }) => level === "error")).toEqual([]);
    });
  }
});
