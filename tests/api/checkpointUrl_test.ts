import { expect } from "expect";
import { withFullDisk } from "../setup/fullDisk.ts";
import { breakAfter, Hub, type HubHandler, redirect, respond, serve } from "../setup/hub.ts";
import { problemOf, TestApi } from "./fixtures.ts";
import { shards, tinyUpload, tinyWeights, weightsFile } from "./importFiles.ts";

const REPOSITORY = "hub.test/org/vit-mae-tiny", MAIN = `${REPOSITORY}/resolve/main`;
const { tensors, config } = tinyWeights(),
  WEIGHTS = weightsFile(tensors).content,
  CONFIG = JSON.stringify(config);

/** Returns the hub with a repository, whose weights are on its CDN. */
async function openHub(): Promise<Hub> {
  const hub = await Hub.open();
  return hub.add(`${MAIN}/config.json`, CONFIG)
    .add(`${MAIN}/model.safetensors`, redirect(hub.url("cdn.test/blob") + "?X-Signature=SECRET"))
    .add("cdn.test/blob", WEIGHTS);
}

Deno.test("weights are imported from a repository, a page of it, a file and an index", async () => {
  await using hub = await openHub();
  await using api = await TestApi.open({ remote: hub.settings() });
  const uploaded = await (await api.importWeights(tinyUpload())).json();
  const { files, map } = shards(tensors);
  for (const { name, content } of files) hub.add(`hub.test/sharded/${name}`, content);
  hub.add("hub.test/sharded/model.safetensors.index.json", JSON.stringify({ weight_map: map }))
    .add("hub.test/sharded/config.json", CONFIG);
  for (
    const [target, name] of [
      [REPOSITORY, "vit-mae-tiny"],
      [`${REPOSITORY}/tree/main`, "vit-mae-tiny"],
      [`${REPOSITORY}/blob/main/model.safetensors`, "vit-mae-tiny"],
      [`${MAIN}/model.safetensors?download=true`, "vit-mae-tiny"],
      ["hub.test/sharded/model.safetensors.index.json", "model"],
    ]
  ) {
    const response = await api.post("/v1/checkpoints", { url: hub.url(target) });
    const checkpoint = await response.json();
    expect({ target, status: response.status, checkpoint }).toMatchObject({
      status: 201,
      checkpoint: {
        name,
        sha256: uploaded.sha256,
        origin: { format: "huggingface", url: hub.url(target).replace(/\?.*/, "") },
      },
    });
  }
  expect(Array.from(Deno.readDirSync(api.tempDir))).toEqual([]);
});

Deno.test("a form can have the address, with the fields of an upload", async () => {
  await using hub = await openHub();
  await using api = await TestApi.open({ remote: hub.settings() });
  const fields = { url: hub.url(REPOSITORY), name: "mine", resize: "pad" };
  expect(await (await api.importWeights({}, fields)).json()).toMatchObject({ name: "mine" });
  const both = await problemOf(await api.importWeights(tinyUpload(), fields), 422);
  expect(both.errors).toEqual([{ path: "url", message: "must be left out when files are sent" }]);
});

Deno.test("a repeated request with the same key downloads nothing again", async () => {
  await using hub = await openHub();
  await using api = await TestApi.open({ remote: hub.settings() });
  const body = { url: hub.url(REPOSITORY) }, headers = { "idempotency-key": "k" };
  const first = await (await api.post("/v1/checkpoints", body, headers)).json(), { length } = hub.requests;
  const second = await api.post("/v1/checkpoints", body, headers);
  expect(second.headers.get("idempotency-replayed")).toBe("true");
  expect(await second.json()).toEqual(first);
  expect(hub.requests.length).toBe(length);
  await problemOf(await api.post("/v1/checkpoints", { ...body, name: "other" }, headers), 422);
});

Deno.test("class names of a model without classes are rejected by their own field", async () => {
  await using hub = await openHub();
  await using api = await TestApi.open({ remote: hub.settings() });
  const body = { url: hub.url(REPOSITORY), class_names: ["cat", "dog"] };
  const { errors } = await problemOf(await api.post("/v1/checkpoints", body), 422);
  expect(errors).toMatchObject([{ path: "class_names" }]);
});

Deno.test("no host is allowed by default", async () => {
  await using api = await TestApi.open();
  const problem = await problemOf(
    await api.post("/v1/checkpoints", { url: "https://huggingface.co/facebook/vit-mae-base" }),
    422,
  );
  expect(problem.detail).toMatch(
    /^url: is not supported: no host is allowed by the setting UNMASK_FETCH_HOSTS/,
  );
});

Deno.test("what is wrong at an address is named, and nothing remains", async (t) => {
  await using hub = await openHub();
  const limits = { weightsBytes: 2 * WEIGHTS.length, weightsFiles: 2 };
  await using api = await TestApi.open({ remote: hub.settings(), ...limits });
  const before = await api.traces();
  const index = (name: string, json: unknown) =>
    hub.add(`hub.test/${name}/x.safetensors.index.json`, JSON.stringify(json));
  const shardOf = (name: string) => ({ weight_map: { a: name } });
  const badShards = ["../x", "/etc/passwd", "C:\\x", "a\0b", "https://evil.test/x", ".."];
  badShards.forEach((name, i) => index(`i${i}`, shardOf(name)));
  index("gone", shardOf("gone.safetensors"));
  index("many", { weight_map: { a: "1", b: "2", c: "3" } });
  index("empty", { metadata: {} });
  hub.add("hub.test/dup/x.safetensors.index.json", '{"weight_map":{"a":"x","a":"y"}}')
    .add("hub.test/text/x.safetensors.index.json", "no json")
    .add("hub.test/html/x.safetensors", "<html>SECRET".padEnd(5000))
    .add("hub.test/pickle/x.safetensors", new Uint8Array(5000).fill(0x80, 0, 1).fill(2, 1, 2))
    .add("hub.test/bin/resolve/main/config.json", CONFIG)
    .add("hub.test/big/x.safetensors", respond(200, { "content-length": String(10 ** 10) }))
    .add("hub.test/bigjson/config.json", respond(200, { "content-length": String(10 ** 8) }))
    .add("hub.test/down/x.safetensors", respond(503, { "retry-after": "600" }))
    .add("hub.test/short/x.safetensors", breakAfter(WEIGHTS, 100))
    .add("hub.test/config/x.safetensors", WEIGHTS)
    .add("hub.test/config/config.json", '{"model_type":"bert"}');
  const rows: [string, number, RegExp][] = [
    ...badShards.map((_, i): [string, number, RegExp] => [
      `i${i}/x.safetensors.index.json`,
      422,
      /The index must map "a" to the name of a file in its own folder|a NUL character/,
    ]),
    ["gone/x.safetensors.index.json", 422, /lacks the file "gone.safetensors", which the index names/],
    ["many/x.safetensors.index.json", 422, /must have at most 2 files of weights: the index names 3/],
    ["empty/x.safetensors.index.json", 422, /must be a JSON object with the object weight_map/],
    ["dup/x.safetensors.index.json", 422, /The index: weight_map.a/],
    ["text/x.safetensors.index.json", 422, /The index is not JSON/],
    ["html/x.safetensors", 422, /'x.safetensors' is a web page/],
    ["pickle/x.safetensors", 422, /is a pickle[^]*save_file/],
    ["org/name/resolve/main/mae.pth", 422, /must not name a pickle[^]*save_file/],
    ["bin/name", 422, /has neither model.safetensors nor[^]*save_file/],
    ["missing/x.safetensors", 422, /was not found \(status 404\)/],
    ["big/x.safetensors", 413, /UNMASK_MAX_WEIGHTS_BYTES/],
    ["bigjson/x.safetensors", 413, /the limit of a JSON file/],
    ["down/x.safetensors", 503, /status 503/],
    ["short/x.safetensors", 503, /closed after 100 of/],
    ["config/x.safetensors", 422, /bert/],
    ["x", 422, /must name a .safetensors file/],
  ];
  for (const [path, status, pattern] of rows) {
    await t.step(path, async () => {
      const response = await api.post("/v1/checkpoints", { url: hub.url(`hub.test/${path}`) });
      if (status === 503) {
        expect(response.headers.get("retry-after")).toBe(path.startsWith("down") ? "600" : "30");
      }
      const { detail, errors } = await problemOf(response, status);
      expect(detail).toMatch(pattern);
      expect(errors.map(({ path }) => path)).toEqual(["url"]);
      expect(detail).not.toContain("SECRET");
      expect(Array.from(Deno.readDirSync(api.tempDir))).toEqual([]);
    });
  }
  expect(await api.traces()).toEqual(before);
});

Deno.test("a download ends when its time is over, the client disconnects or the service stops", async (t) => {
  await using hub = await openHub();
  const drip: HubHandler = (_, response) => {
    response.writeHead(200);
    const timer = setInterval(() => response.write(new Uint8Array(64 * 1024)), 5);
    response.on("close", () => clearInterval(timer));
  };
  hub.add("hub.test/drip/x.safetensors", drip);
  const body = { url: hub.url("hub.test/drip/x.safetensors") };
  const left = (api: TestApi) => Array.from(Deno.readDirSync(api.tempDir));
  await t.step("time", async () => {
    await using api = await TestApi.open({ remote: hub.settings(), uploadTotalMs: 200 });
    const { detail } = await problemOf(await api.post("/v1/checkpoints", body), 504);
    expect(detail).toBe("url: took longer than 0.2 s to be downloaded");
    expect(left(api)).toEqual([]);
  });
  await t.step("client", async () => {
    await using api = await TestApi.open({ remote: hub.settings() });
    const controller = new AbortController(), headers = { "content-type": "application/json" };
    const request = { method: "POST", headers, body: JSON.stringify(body), signal: controller.signal };
    const response = api.fetch(new Request("http://localhost/v1/checkpoints", request));
    setTimeout(() => controller.abort(), 200);
    await response;
    expect(left(api)).toEqual([]);
  });
  await t.step("service", async () => {
    const controller = new AbortController();
    await using api = await TestApi.open({ remote: hub.settings(), stopping: controller.signal });
    setTimeout(() => controller.abort(), 200);
    const { detail } = await problemOf(await api.post("/v1/checkpoints", body), 503);
    expect(detail).toMatch(/^The service is stopping/);
    expect(left(api)).toEqual([]);
  });
});

Deno.test("more imports by URL than the limit are refused until one ends", async () => {
  await using hub = await openHub();
  await using api = await TestApi.open({ remote: hub.settings(), downloads: 1 });
  const arrived = Promise.withResolvers<void>(), proceed = Promise.withResolvers<void>();
  hub.add("hub.test/slow/config.json", (request, response, count) => {
    arrived.resolve();
    proceed.promise.then(() => serve(CONFIG)(request, response, count));
  }).add("hub.test/slow/x.safetensors", WEIGHTS);
  const first = api.post("/v1/checkpoints", { url: hub.url("hub.test/slow/x.safetensors") });
  await arrived.promise;
  const body = { url: hub.url(REPOSITORY) }, headers = { "idempotency-key": "k" };
  const response = await api.post("/v1/checkpoints", body, headers);
  expect(response.headers.get("retry-after")).toBe("10");
  const { detail } = await problemOf(response, 503);
  expect(detail).toMatch(/^Too many imports by URL are already running \(1\)/);
  expect((await api.importWeights(tinyUpload())).status).toBe(201);
  proceed.resolve();
  expect((await first).status).toBe(201);
  expect((await api.post("/v1/checkpoints", body, headers)).status).toBe(201);
});

Deno.test("a disk that is full before or during a download is a temporary problem, and nothing remains", async () => {
  await withFullDisk(async (folder, freeSpace) => {
    await using hub = await openHub();
    const tempDir = `${folder}/uploads`;
    await using api = await TestApi.open(
      { remote: hub.settings() },
      undefined,
      undefined,
      undefined,
      tempDir,
    );
    const declared = new Uint8Array(10 ** 6);
    hub.add("hub.test/a/x.safetensors", declared)
      .add("hub.test/b/x.safetensors", (_, response) => void response.writeHead(200).end(declared));
    const [before, during] = [hub.url("hub.test/a/x.safetensors"), hub.url("hub.test/b/x.safetensors")];
    for (const [url, detail] of [[before, /The download needs .* is free/], [during, /cannot be stored/]]) {
      const response = await api.post("/v1/checkpoints", { url });
      expect(response.headers.get("retry-after")).toBe("30");
      expect((await problemOf(response, 503)).detail).toMatch(detail);
      expect(Array.from(Deno.readDirSync(tempDir))).toEqual([]);
    }
    await freeSpace();
    expect((await api.post("/v1/checkpoints", { url: hub.url(REPOSITORY) })).status).toBe(201);
  });
});

Deno.test("files beside a signed address may be forbidden, and the weights may not", async () => {
  await using hub = await Hub.open();
  await using api = await TestApi.open({ remote: hub.settings() });
  const { sha256, ...uploaded } = await (await api.importWeights(tinyUpload())).json();
  const ours = await api.object(`checkpoints/${uploaded.id}.safetensors`);
  for (const name of ["config.json", "preprocessor_config.json"]) {
    hub.add(`hub.test/bucket/${name}`, respond(403));
  }
  hub.add("hub.test/bucket/mine.safetensors", (request, response, count) => {
    (request.url!.includes("signature=") ? serve(ours) : respond(403))(request, response, count);
  });
  const url = hub.url("hub.test/bucket/mine.safetensors");
  expect(await (await api.post("/v1/checkpoints", { url: `${url}?signature=SECRET` })).json())
    .toMatchObject({ sha256, origin: { format: "unmask", url } });
  const { detail } = await problemOf(await api.post("/v1/checkpoints", { url }), 422);
  expect(detail).toBe("url: is not public: the server responded with status 403");
});

Deno.test("a body must be an object with a url and known fields", async () => {
  await using api = await TestApi.open();
  for (
    const body of [{}, { url: 5 }, { url: "" }, { url: "https://a.b/c", weights: "x" }, [], null, {
      url: "x",
      token: "y",
    }]
  ) {
    await problemOf(await api.post("/v1/checkpoints", body), 422);
  }
});

Deno.test("names from an address are only displayed", async () => {
  await using hub = await Hub.open();
  await using api = await TestApi.open({ remote: hub.settings() });
  const target = "hub.test/x/%2e%2e%2f%22evil%0d%0a.safetensors";
  hub.add(target, serve(WEIGHTS)).add("hub.test/x/config.json", CONFIG);
  const response = await api.post("/v1/checkpoints", { url: hub.url(target) });
  const { name, origin } = await response.json();
  expect({ status: response.status, name, filename: origin.filename }).toEqual({
    status: 201,
    name: "%2e%2e%2f%22evil%0d%0a",
    filename: "%2e%2e%2f%22evil%0d%0a.safetensors",
  });
  expect(Array.from(Deno.readDirSync(api.tempDir))).toEqual([]);
});
