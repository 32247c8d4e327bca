import { join } from "node:path";
import { expect } from "expect";
import { LocalStore } from "../../../data/objects/local/localStore.ts";
import { all, bytes, read } from "./conformance.ts";

async function withFolder(fn: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir();
  try {
    await fn(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("folder: an object is a plain file whose path is its key", () =>
  withFolder(async (folder) => {
    const store = new LocalStore(folder);
    await store.put("jobs/job_1/epoch-1.safetensors", bytes(10));
    expect(await Deno.readFile(join(folder, "jobs/job_1/epoch-1.safetensors"))).toEqual(bytes(10));
    expect(store.url).toBe(`file:${folder}`);
  }));

Deno.test("folder: a reopened store has the same objects with the same etags", () =>
  withFolder(async (folder) => {
    const info = await new LocalStore(folder).put("a/b", bytes(10));
    expect(await new LocalStore(folder).head("a/b")).toEqual(info);
  }));

Deno.test("folder: segments may be longer than file names, and keys stay in order", () =>
  withFolder(async (folder) => {
    const store = new LocalStore(folder);
    const base = "k".repeat(200);
    const keys = [
      base,
      base + "-",
      base + "y/x",
      base + "x",
      "k".repeat(400),
      "k".repeat(512),
      "l".repeat(300) + "/y",
    ];
    for (const key of keys) await store.put(key, bytes(key.length));
    expect((await all(store, "")).map(({ key }) => key)).toEqual([...keys].sort());
    expect((await all(store, "k".repeat(250))).length).toBe(2);
    for (const key of keys) expect(await read(store, key)).toEqual(bytes(key.length));
  }));

Deno.test("folder: the error explains why a key cannot be both an object and a folder", () =>
  withFolder(async (folder) => {
    const store = new LocalStore(folder);
    await store.put("a/b", bytes(1));
    for (const ifNoneMatch of [false, true]) {
      await expect(store.put("a", bytes(1), { ifNoneMatch })).rejects.toThrow(
        "other keys begin with 'a/'",
      );
      await expect(store.put("a/b/c", bytes(1), { ifNoneMatch })).rejects.toThrow(
        "an object has the key of one of its parent folders",
      );
    }
    expect((await all(store, "")).map(({ key }) => key)).toEqual(["a/b"]);
    expect(await Array.fromAsync(Deno.readDir(join(folder, "~aside")))).toEqual([]);
  }));

Deno.test("folder: temporary files of killed puts are not listed, and removed when they are old", () =>
  withFolder(async (folder) => {
    const tempFolder = join(folder, "~aside");
    await Deno.mkdir(tempFolder);
    await Deno.writeFile(join(tempFolder, "old"), bytes(10));
    await Deno.writeFile(join(tempFolder, "fresh"), bytes(10));
    const twoDaysAgo = new Date(Date.now() - 48 * 3600 * 1000);
    await Deno.utime(join(tempFolder, "old"), twoDaysAgo, twoDaysAgo);
    const store = new LocalStore(folder);
    expect(await all(store, "")).toEqual([]);
    await store.put("x", bytes(1));
    expect((await all(store, "")).map(({ key }) => key)).toEqual(["x"]);
    expect((await Array.fromAsync(Deno.readDir(tempFolder))).map(({ name }) => name)).toEqual(["fresh"]);
  }));

Deno.test("folder: a process killed during a put leaves the old object", () =>
  withFolder(async (folder) => {
    const store = new LocalStore(folder);
    await store.put("x", bytes(1000));
    const module = new URL("../../../data/objects/local/localStore.ts", import.meta.url);
    const script = `
      import { LocalStore } from ${JSON.stringify(module.href)};
      let sent = 0;
      await new LocalStore(Deno.args[0]).put("x", new ReadableStream({
        pull(controller) {
          if (++sent > 50) return console.log("half way"), new Promise((resolve) => setTimeout(resolve, 60_000));
          controller.enqueue(new Uint8Array(100_000));
        },
      }));`;
    const file = join(folder, "~script.ts");
    await Deno.writeTextFile(file, script);
    const process = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", "--config", new URL("../../../deno.json", import.meta.url).pathname, file, folder],
      stdout: "piped",
      stderr: "null",
    }).spawn();
    const reader = process.stdout.getReader();
    expect(new TextDecoder().decode((await reader.read()).value)).toBe("half way\n");
    process.kill("SIGKILL");
    await process.status;
    await reader.cancel();
    await Deno.remove(file);
    expect((await Array.fromAsync(Deno.readDir(join(folder, "~aside")))).length).toBe(1);
    expect(await read(store, "x")).toEqual(bytes(1000));
    expect((await all(store, "")).length).toBe(1);
  }));

Deno.test("folder: concurrent puts and deletes in one folder do not interfere", () =>
  withFolder(async (folder) => {
    const store = new LocalStore(folder);
    await Promise.all(Array.from({ length: 8 }, async (_, worker) => {
      for (let round = 0; round < 20; round++) {
        await store.put(`deep/er/${worker}`, bytes(10));
        await store.delete(`deep/er/${worker}`);
      }
    }));
    expect(await all(store, "")).toEqual([]);
    expect((await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name)).toEqual(["~aside"]);
  }));

Deno.test("folder: a read fails if another process truncates the file", () =>
  withFolder(async (folder) => {
    const store = new LocalStore(folder);
    await store.put("x", bytes(4 * 1024 * 1024));
    const { body } = await store.get("x");
    await Deno.truncate(join(folder, "x"), 1000);
    await expect(new Response(body).bytes()).rejects.toThrow("was truncated during the read");
  }));
