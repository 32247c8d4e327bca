import { expect } from "expect";
import { type AddressInfo, createServer } from "node:net";
import { download } from "../../../data/remote/download.ts";
import { parseAllowedHost, parseRemoteUrl } from "../../../data/remote/allowedHosts.ts";
import type { RemoteSettings } from "../../../data/remote/request.ts";
import { run } from "../../setup/command.ts";
import { breakAfter, Hub, type HubHandler, redirect, respond, serve } from "../../setup/hub.ts";

const CONTENT = new Uint8Array(200_000).map((_, i) => i * 7 + (i >> 8));
const FILE = "hub.test/model.safetensors";

/** Downloads the file of a hub. @returns its bytes */
async function fetched(
  hub: Hub,
  settings: RemoteSettings = hub.settings(),
  { maxBytes = 2 ** 20, signal = new AbortController().signal, target = FILE } = {},
): Promise<Uint8Array> {
  const path = await Deno.makeTempFile();
  try {
    const options = { maxBytes, limit: "the test" };
    const size = await download(parseRemoteUrl(hub.url(target)), path, options, settings, signal);
    const bytes = await Deno.readFile(path);
    expect(bytes.length).toBe(size);
    return bytes;
  } finally {
    await Deno.remove(path);
  }
}

/** Expects a download to fail. The message never has a part of a response. */
async function failure(download: Promise<unknown>, pattern: RegExp, reason = "refused"): Promise<void> {
  const error = await download.then(() => null, (error) => error);
  expect(error).toMatchObject({ reason, message: expect.stringMatching(pattern) });
  expect(error.message).not.toContain("SECRET");
}

Deno.test("a file is downloaded over redirects to allowed hosts", async () => {
  await using hub = await Hub.open();
  hub.add(FILE, redirect("/moved", 307)).add(
    "hub.test/moved",
    redirect(hub.url("cdn.test/blob") + "?sig=1#f"),
  )
    .add("cdn.test/blob", CONTENT);
  expect(await fetched(hub)).toEqual(CONTENT);
  expect(hub.requests.map(({ target }) => target)).toEqual([FILE, "hub.test/moved", "cdn.test/blob"]);
});

Deno.test("redirects to other hosts, to addresses, without TLS and without end are refused", async (t) => {
  await using hub = await Hub.open();
  const { port } = hub,
    hosts = [...hub.settings().hosts, parseAllowedHost(`http://cdn.test:${port} private`)!];
  const cases: [string, string, RegExp][] = [
    [
      "another host",
      `https://evil.test:${port}/x`,
      /redirected by 'hub.test:\d+' .*UNMASK_FETCH_HOSTS.*'evil.test/,
    ],
    ["a private address", `https://127.0.0.1:${port}/x`, /'127.0.0.1:\d+' is not one/],
    ["metadata of a cloud", "http://169.254.169.254/latest", /must begin with https/],
    ["an allowed host without TLS", `http://cdn.test:${port}/x`, /must begin with https/],
    ["a user name", `https://u:p@cdn.test:${port}/x`, /must not contain a user name/],
    ["a file", "file:///etc/passwd", /must begin with https/],
    ["nonsense", "https://", /is missing or invalid/],
    ["itself", "/model.safetensors", /was redirected more than 5 times/],
  ];
  for (const [name, location, pattern] of cases) {
    await t.step(name, async () => {
      hub.add(FILE, redirect(location));
      await failure(fetched(hub, hub.settings(undefined, { hosts })), pattern);
    });
  }
});

Deno.test("names with a private address are refused, before a connection and at each attempt", async () => {
  await using hub = await Hub.open();
  const hosts = [parseAllowedHost(`hub.test:${hub.port}`)!];
  hub.add(FILE, CONTENT);
  await failure(fetched(hub, hub.settings(undefined, { hosts })), /an address that is not public/);
  expect(hub.requests).toEqual([]);
  // The second attempt is checked as the first one.
  let lookups = 0;
  const resolve = () =>
    lookups++ === 0 ? Promise.reject(new Error("SERVFAIL")) : Promise.resolve(["127.0.0.1"]);
  await failure(fetched(hub, hub.settings(undefined, { hosts, resolve })), /not public/);
  expect({ lookups, requests: hub.requests }).toEqual({ lookups: 2, requests: [] });
});

Deno.test("a connection goes to the address that was checked", async () => {
  await using hub = await Hub.open();
  hub.add(FILE, CONTENT);
  let lookups = 0;
  const resolve = () => Promise.resolve([lookups++ === 0 ? "127.0.0.1" : "127.0.0.9"]);
  expect(await fetched(hub, hub.settings(undefined, { resolve }))).toEqual(CONTENT);
  expect(lookups).toBe(1);
});

Deno.test("of several addresses, one that can be reached is used", async () => {
  await using hub = await Hub.open();
  hub.add(FILE, CONTENT);
  const resolve = () => Promise.resolve(["127.0.0.9", "127.0.0.1"]);
  expect(await fetched(hub, hub.settings(undefined, { resolve }))).toEqual(CONTENT);
});

Deno.test("neither a proxy nor switched-off checks of certificates are taken from the environment", async () => {
  await using hub = await Hub.open();
  await using plain = await Hub.open("http");
  await using proxy = await Hub.open("http");
  hub.add(FILE, CONTENT);
  plain.add(FILE, CONTENT);
  const connects: string[] = [];
  proxy.server.on("connect", ({ url }, socket) => {
    connects.push(url!);
    socket.destroy();
  });
  const [http_proxy, https_proxy] = [proxy.url("127.0.0.1"), proxy.url("127.0.0.1")];
  const env = { NODE_USE_ENV_PROXY: "1", NODE_TLS_REJECT_UNAUTHORIZED: "0", http_proxy, https_proxy };
  const script = new URL("../../fixtures/hub/fetch.ts", import.meta.url).href;
  const urls = [hub.url(FILE), plain.url(FILE)];
  const { output } = await run(Deno.execPath(), ["run", "-A", script, ...urls], { cwd: ".", env });
  expect(output.trim().split("\n")).toEqual([
    expect.stringMatching(/SELF_SIGNED_CERT/),
    String(CONTENT.length),
  ]);
  expect([connects, proxy.requests]).toEqual([[], []]);
});

Deno.test("certificates are checked for the name", async () => {
  await using hub = await Hub.open();
  hub.add("evil.test/x", CONTENT).add(FILE, CONTENT);
  await failure(fetched(hub, hub.settings(["evil.test"]), { target: "evil.test/x" }), /ERR_TLS_CERT/);
  await failure(fetched(hub, hub.settings(undefined, { ca: undefined })), /SELF_SIGNED_CERT/);
});

Deno.test("a broken download continues where it stopped", async () => {
  await using hub = await Hub.open();
  const whole = serve(CONTENT), broken = breakAfter(CONTENT, 90_000);
  hub.add(FILE, redirect(hub.url("cdn.test/x")));
  hub.add(
    "cdn.test/x",
    (request, response, count) => (count === 0 ? broken : whole)(request, response, count),
  );
  expect(await fetched(hub)).toEqual(CONTENT);
  expect(hub.requests.at(-1)).toEqual({ target: "cdn.test/x", range: "bytes=90000-" });
});

Deno.test("a file that changed or has no entity tag is downloaded again from its start", async (t) => {
  await using hub = await Hub.open();
  const changed = CONTENT.toReversed();
  const cases: [string, HubHandler, HubHandler][] = [
    ["another tag", breakAfter(CONTENT, 90_000), serve(changed, '"2"')],
    ["no tag", breakAfter(CONTENT, 90_000, null), serve(changed)],
    ["a weak tag", breakAfter(CONTENT, 90_000, 'W/"1"'), serve(changed, 'W/"1"')],
  ];
  for (const [name, first, second] of cases) {
    await t.step(name, async () => {
      let count = 0;
      hub.add(FILE, (request, response) => (count++ === 0 ? first : second)(request, response, 0));
      expect(await fetched(hub)).toEqual(changed);
    });
  }
  await t.step("a wrong range", async () => {
    let count = 0;
    const wrong = respond(206, { etag: '"1"', "content-range": "bytes 5-9/10" });
    hub.add(
      FILE,
      (request, response) =>
        [breakAfter(CONTENT, 90_000), wrong, serve(changed)][count++](request, response, 0),
    );
    expect(await fetched(hub)).toEqual(changed);
    expect(count).toBe(3);
  });
});

Deno.test("a request is repeated after a temporary error, and not after another one", async (t) => {
  await using hub = await Hub.open();
  for (const [status, headers] of [[503, {}], [429, { "retry-after": "0" }], [500, {}]] as const) {
    await t.step(`${status}, then 200`, async () => {
      let count = 0;
      hub.add(
        FILE,
        (request, response) =>
          (count++ === 0 ? respond(status, headers) : serve(CONTENT))(request, response, 0),
      );
      expect(await fetched(hub)).toEqual(CONTENT);
    });
  }
  const failing: [number, Record<string, string>, string, RegExp, number][] = [
    [404, {}, "missing", /was not found/, 1],
    [401, {}, "forbidden", /is not public: .*401/, 1],
    [403, {}, "forbidden", /is not public/, 1],
    [418, {}, "refused", /status 418/, 1],
    [500, {}, "unavailable", /status 500/, 4],
    [429, { "retry-after": "3600" }, "unavailable", /status 429/, 1],
    [429, { "retry-after": "Fri, 31 Dec 2100 23:59:59 GMT" }, "unavailable", /status 429/, 1],
    [503, { "retry-after": "Fri, 31 Dec 1999 23:59:59 GMT" }, "unavailable", /status 503/, 4],
  ];
  for (const [status, headers, reason, pattern, attempts] of failing) {
    await t.step(`always ${status}`, async () => {
      const before = hub.requests.length;
      hub.add(FILE, respond(status, headers));
      await failure(fetched(hub), pattern, reason);
      expect(hub.requests.length - before).toBe(attempts);
    });
  }
});

Deno.test("a response that is too long, compressed, slow or wrong in length is refused", async (t) => {
  await using hub = await Hub.open();
  const endless: HubHandler = (_, response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write(new Uint8Array(64 * 1024)), 1);
    response.on("close", () => clearInterval(timer));
  };
  const drip: HubHandler = (_, response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write(new Uint8Array(1)), 10);
    response.on("close", () => clearInterval(timer));
  };
  const cases: [string, HubHandler, string, RegExp][] = [
    [
      "declared length",
      respond(200, { "content-length": "10000000000" }),
      "too_large",
      /has 10000000000 bytes/,
    ],
    ["endless", endless, "too_large", /must have at most 1048576 bytes \(the test\)/],
    ["compressed", respond(200, { "content-encoding": "gzip" }), "refused", /Content-Encoding 'gzip'/],
    ["drip", drip, "unavailable", /sent too little within 0.1 s/],
    ["no headers", () => {}, "unavailable", /sent too little/],
    ["shorter than declared", breakAfter(CONTENT, 100), "unavailable", /closed after 100 of 200000 bytes/],
  ];
  for (const [name, handler, reason, pattern] of cases) {
    await t.step(name, async () => {
      hub.add(FILE, handler);
      // Only a time limit that is expected is short, because a slow machine could reach it.
      const changes = pattern.source.startsWith("sent too little") ? { idleMs: 100 } : {};
      await failure(fetched(hub, hub.settings(undefined, changes)), pattern, reason);
    });
  }
});

Deno.test("malformed responses are errors of the server, and no connection stays open", async (t) => {
  const cases: [string, string, RegExp, string][] = [
    ["no HTTP", "SECRET\r\n\r\n", /HPE_/, "unavailable"],
    ["two lengths", "200 OK\r\nContent-Length: 3\r\nContent-Length: 5\r\n\r\nabcde", /HPE_/, "unavailable"],
    ["a negative length", "200 OK\r\nContent-Length: -3\r\n\r\nabc", /HPE_/, "unavailable"],
    ["headers of 1 MB", `200 OK\r\nX: ${"y".repeat(2 ** 20)}\r\n\r\n`, /HPE_HEADER_OVERFLOW/, "unavailable"],
    ["another protocol", "101 X\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n", /too little/, "unavailable"],
    ["a cut chunk", "200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nabc", /closed after/, "unavailable"],
    ["no address", "302 X\r\nContent-Length: 0\r\n\r\n", /missing or invalid/, "refused"],
    ["a host only", "302 X\r\nLocation: //evil.test/x\r\n\r\n", /'evil.test' is not one/, "refused"],
    ["a backslash", "302 X\r\nLocation: /\\evil.test\r\n\r\n", /'evil.test' is not one/, "refused"],
    ["no content", "204 X\r\n\r\n", /status 204/, "refused"],
  ];
  for (const [name, response, pattern, reason] of cases) {
    await t.step(name, async () => {
      const closed: Promise<unknown>[] = [];
      const server = createServer((socket) => {
        closed.push(new Promise<void>((resolve) => socket.once("close", () => resolve())));
        socket.on("error", () => {}).once("data", () => {
          socket.write(/^\d/.test(response) ? `HTTP/1.1 ${response}` : response);
          if (name === "a cut chunk") socket.end();
        });
      });
      await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", () => resolve()));
      const address = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
      const idleMs = name === "another protocol" ? 100 : 5000;
      const settings = { hosts: [parseAllowedHost(address)!], idleMs, retryMs: 1 };
      const { signal } = new AbortController(), path = await Deno.makeTempFile();
      const options = { maxBytes: 2 ** 20, limit: "the test" };
      await failure(download(parseRemoteUrl(address), path, options, settings, signal), pattern, reason);
      await Promise.all(closed);
      server.close();
      await Deno.remove(path);
    });
  }
});

Deno.test("a look-up that does not end is ended", async () => {
  await using hub = await Hub.open();
  const settings = hub.settings(undefined, { resolve: () => new Promise(() => {}), idleMs: 20 });
  await failure(fetched(hub, settings), /'hub.test:\d+' sent too little/, "unavailable");
});

Deno.test("a download stops at once when its signal is aborted", async () => {
  await using hub = await Hub.open();
  const controller = new AbortController();
  hub.add(FILE, () => controller.abort(new Error("the client disconnected")));
  await expect(fetched(hub, hub.settings(), { signal: controller.signal })).rejects.toThrow(
    "the client disconnected",
  );
});

Deno.test("an explicit entry allows http", async () => {
  await using hub = await Hub.open("http");
  hub.add("127.0.0.1/x", CONTENT);
  const hosts = [parseAllowedHost(`http://127.0.0.1:${hub.port}`)!];
  expect(await fetched(hub, { hosts }, { target: "127.0.0.1/x" })).toEqual(CONTENT);
});
