import { expect } from "expect";
import { LocalStore } from "../../../data/objects/local/localStore.ts";
import { openStore } from "../../../data/objects/open.ts";
import { type S3Access } from "../../../data/objects/s3/settings.ts";
import { startVersitygw } from "../../setup/versitygw.ts";

const MINUTES = 60_000;

/** Runs a script in a new process. @returns the process after its first output */
async function runUntilOutput(script: string, env: Record<string, string> = {}): Promise<Deno.ChildProcess> {
  const config = new URL("../../../deno.json", import.meta.url).pathname;
  const child = new Deno.Command(Deno.execPath(), {
    args: ["eval", "--config", config, script],
    env,
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.getReader();
  await reader.read();
  reader.cancel();
  return child;
}

/** Starts a process whose put has written a part and then waits. */
async function startPut(folder: string): Promise<Deno.ChildProcess> {
  const module = new URL("../../../data/objects/local/localStore.ts", import.meta.url).href;
  const script = `
    import { LocalStore } from "${module}";
    const body = new ReadableStream({
      start(controller) { controller.enqueue(new Uint8Array(1000)); },
      async pull() { console.log("written"); await new Promise(() => {}); },
    });
    setInterval(() => {}, 1000);
    await new LocalStore("${folder}").put("a/b", body);
  `;
  return await runUntilOutput(script);
}

/** Starts a process with multipart uploads that have sent two of three parts. */
async function startUploads(
  urls: readonly string[],
  s3: S3Access,
): Promise<Deno.ChildProcess> {
  const module = new URL("../../../data/objects/open.ts", import.meta.url).href;
  const script = `
    import { openStore } from "${module}";
    await Promise.all(${JSON.stringify(urls)}.map((url) => new Promise((resolve) => {
      let pulled = 0;
      const body = new ReadableStream({
        async pull(controller) {
          if (++pulled <= 3) return controller.enqueue(new Uint8Array(8 * 1024 * 1024));
          resolve();
          await new Promise(() => {});
        },
      }, { highWaterMark: 0 });
      openStore({ url, s3: ${JSON.stringify(s3)} }).put("large", body);
    })));
    console.log("begun");
    setInterval(() => {}, 1000);
  `;
  return await runUntilOutput(script);
}

const tempFiles = (folder: string) => Array.fromAsync(Deno.readDir(`${folder}/~aside`), ({ name }) => name);

Deno.test("the temporary file of a put is kept while its process runs, and removed after it is killed", async () => {
  const folder = await Deno.makeTempDir();
  const child = await startPut(folder);
  const store = new LocalStore(folder);
  const later = Date.now() + 60 * MINUTES;
  expect(await store.sweep(later)).toBe(0);
  expect((await tempFiles(folder)).length).toBe(1);
  child.kill("SIGKILL");
  await child.status;
  expect(await store.sweep(Date.now())).toBe(0); // a recent file may be complete and about to be published
  expect(await store.sweep(later)).toBe(1);
  expect(await tempFiles(folder)).toEqual([]);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("the sweep of a store without a folder removes nothing", async () => {
  const folder = await Deno.makeTempDir();
  expect(await new LocalStore(`${folder}/none`).sweep()).toBe(0);
  expect(await new LocalStore(`${folder}/none`).freeBytes()).toBeGreaterThan(0);
  await Deno.remove(folder);
});

Deno.test("S3: multipart uploads begun a day ago are aborted; newer ones and those of other prefixes are not", async () => {
  await using server = await startVersitygw();
  if (!server) return;
  const stores = ["ours", "others"].map((prefix) => `s3://${server.bucket}/${prefix}`);
  const child = await startUploads(stores, server.access);
  child.kill("SIGKILL");
  await child.status;
  const [store, others] = stores.map((url) => openStore({ url, s3: server.access }));
  const tomorrow = Date.now() + 25 * 60 * MINUTES;
  expect(await store.sweep!()).toBe(0);
  expect(await store.sweep!(tomorrow)).toBe(1);
  expect(await store.sweep!(tomorrow)).toBe(0);
  expect(await others.sweep!(tomorrow)).toBe(1);
});
