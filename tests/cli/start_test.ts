import { expect } from "expect";
import { DatabaseSync } from "node:sqlite";
import { startProcess } from "../../cli/process.ts";

/** Runs a command of the service until it exits. */
async function runCommand(command: string, env: Record<string, string>) {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--config", "deno.json", "main.ts", command],
    cwd: new URL("../../", import.meta.url),
    env: { UNMASK_PORT: "0", UNMASK_STORE: "", UNMASK_KV: "", ...env },
  }).output();
  const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes).trim();
  return { code, stdout: text(stdout), lines: text(stderr).split("\n") };
}

Deno.test("a start that cannot succeed prints the reason in one line and exits with 1", async (t) => {
  const folder = await Deno.makeTempDir();
  await Deno.writeTextFile(`${folder}/damaged.sqlite3`, "This was a database once. ".repeat(400));
  await Deno.writeTextFile(`${folder}/file`, "");
  const taken = Deno.listen({ port: 0, hostname: "127.0.0.1" });
  const { port } = taken.addr as Deno.NetAddr;
  const table: [description: string, env: Record<string, string>, message: RegExp, command?: string][] = [
    ["a damaged database", { UNMASK_KV: `${folder}/damaged.sqlite3` }, /UNMASK_KV.*not a database/],
    ["a folder that cannot be created", { UNMASK_DATA: `${folder}/file/data` }, /file\/data/],
    [
      "a folder that cannot be written",
      { UNMASK_STORE: "file:/proc/unmask" },
      /UNMASK_STORE cannot be written/,
    ],
    [
      "a database in a folder that cannot be written",
      { UNMASK_KV: "/proc/unmask/kv" },
      /UNMASK_KV.*\/proc\/unmask/,
    ],
    ["a folder instead of a database", { UNMASK_KV: folder }, /UNMASK_KV.*unable to open/],
    ["a port in use", { UNMASK_PORT: String(port) }, new RegExp(`Port ${port} is in use`)],
    ["an address of another machine", { UNMASK_HOST: "192.0.2.1" }, /192\.0\.2\.1.*UNMASK_HOST/],
    ["a host that has no address", { UNMASK_HOST: "nothing.invalid" }, /nothing\.invalid.*UNMASK_HOST/],
    [
      "a database server that is unavailable for too long",
      {
        UNMASK_KV: "http://127.0.0.1:9",
        UNMASK_START_SECONDS: "0",
        DENO_KV_ACCESS_TOKEN: "abcdefghijklmnop",
      },
      /UNMASK_KV.*127\.0\.0\.1:9/,
    ],
    [
      "a database server without a token",
      { UNMASK_KV: "http://127.0.0.1:9", DENO_KV_ACCESS_TOKEN: "" },
      /DENO_KV_ACCESS_TOKEN/,
    ],
    [
      "object storage without keys",
      { UNMASK_STORE: "s3://bucket", AWS_ACCESS_KEY_ID: "" },
      /AWS_ACCESS_KEY_ID/,
    ],
    ["a size that is not a number", { UNMASK_MAX_TRAINING_BYTES: "abc" }, /UNMASK_MAX_TRAINING_BYTES.*'abc'/],
    [
      "a runner's size that is not a number",
      { UNMASK_MAX_TRAINING_BYTES: "1e9" },
      /UNMASK_MAX_TRAINING_BYTES/,
      "runner",
    ],
    [
      "a health check of a damaged database",
      { UNMASK_KV: `${folder}/damaged.sqlite3` },
      /not a database/,
      "health",
    ],
  ];
  for (const [description, env, message, command = "api"] of table) {
    await t.step(description, async () => {
      const { code, lines } = await runCommand(command, { UNMASK_DATA: `${folder}/data`, ...env });
      expect({ code, lines }).toEqual({ code: 1, lines: [expect.stringMatching(message)] });
    });
  }
  taken.close();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a start waits for a database that is locked", async () => {
  const folder = await Deno.makeTempDir();
  using lock = new DatabaseSync(`${folder}/kv.sqlite3`);
  lock.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; CREATE TABLE held (x)");
  await using service = await startProcess("api", folder, {}, (output) => {
    if (output.includes("cannot be reached, trying again") && lock.isOpen) lock.close();
  });
  expect((await service.client.send("/readyz")).status).toBe(200);
  const { output } = await service.end("SIGTERM");
  expect(output.match(/trying again/g)?.length).toBe(1);
  await Deno.remove(folder, { recursive: true });
});

Deno.test("SIGTERM ends a start that waits for its database", async () => {
  const folder = await Deno.makeTempDir();
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--quiet", "--config", "deno.json", "main.ts", "runner"],
    cwd: new URL("../../", import.meta.url),
    env: { UNMASK_DATA: folder, UNMASK_KV: "http://127.0.0.1:9", DENO_KV_ACCESS_TOKEN: "abcdefghijklmnop" },
    stdout: "null",
    stderr: "piped",
  }).spawn();
  const reader = child.stderr.pipeThrough(new TextDecoderStream()).getReader();
  expect((await reader.read()).value).toMatch(/cannot be reached, trying again for 60 s/);
  child.kill("SIGTERM");
  expect((await child.status).code).toBe(0);
  await reader.cancel();
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a start reports an UNMASK_ variable that is not a setting", async () => {
  const folder = await Deno.makeTempDir();
  const { lines } = await runCommand("start", { UNMASK_KV: folder, UNMASK_SLOT: "2", UNMASK_SLOTS: "2" });
  expect(lines).toEqual([
    "UNMASK_SLOT is not a setting and is ignored",
    expect.stringMatching(/UNMASK_KV.*unable to open/),
  ]);
  const { lines: backend } = await runCommand("start", { UNMASK_DATA: folder, UNMASK_BACKEND: "cuda" });
  expect(backend).toEqual([expect.stringMatching(/^UNMASK_BACKEND must be one of auto, \w+, .*'cuda'$/)]);
  await Deno.remove(folder, { recursive: true });
});
