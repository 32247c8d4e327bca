import { expect } from "expect";
import { JobStore } from "../../jobs/store/store.ts";
import { readSafetensors } from "../../data/safetensors/safetensors.ts";

const root = new URL("../../", import.meta.url);

async function deno(
  args: readonly string[],
  env: Record<string, string> = {},
): Promise<{ code: number; output: string }> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "main.ts", ...args],
    cwd: root,
    env: { UNMASK_DATA: `${folder}/data`, UNMASK_STORE: "", UNMASK_KV: "", UNMASK_PORT: "", ...env },
    stdout: "piped",
    stderr: "piped",
  }).output();
  return { code, output: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

const folder = await Deno.makeTempDir();

Deno.test("the demo trains, measures, and writes its images and its model", async () => {
  const out = `${folder}/out`;
  const { code, output } = await deno([
    "demo",
    "--size",
    "256",
    "--epochs",
    "2",
    "--batch-size",
    "64",
    "--out",
    out,
  ]);
  expect({ code, output }).toMatchObject({ code: 0 });
  expect(output).toMatch(/step 8\/8 · epoch 2 · loss 0\.\d+/);
  expect(output).toMatch(/Test accuracy \d+\.\d %/);
  expect(output.match(/^ {2}curl /gm)!.length).toBe(4);
  expect([...(await Deno.readFile(`${out}/figure.png`)).subarray(1, 4)]).toEqual([0x50, 0x4e, 0x47]);
  expect(await Deno.readTextFile(`${out}/loss.svg`)).toContain("<svg ");
  const { tensors, metadata } = readSafetensors(await Deno.readFile(`${out}/checkpoint.safetensors`));
  expect(metadata.step).toBe("8");
  expect(tensors.get("decoder.mask_token")!.shape).toEqual([1, 1, 32]);
});

Deno.test("an interrupted demo cancels its job, so that the next demo does not run it", async () => {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "main.ts", "demo", "--epochs", "500", "--out", `${folder}/never`],
    cwd: root,
    env: { UNMASK_DATA: `${folder}/interrupted`, UNMASK_STORE: "", UNMASK_KV: "", UNMASK_PORT: "" },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let output = "";
  const reading = (async () => {
    for await (const text of child.stdout.pipeThrough(new TextDecoderStream())) {
      if (!output.includes("Pre-training") && text.includes("Pre-training")) child.kill("SIGINT");
      output += text;
    }
  })();
  const errors = new Response(child.stderr).text();
  const { code } = await child.status;
  await reading;
  expect(code).toBe(1);
  expect(await errors).toContain("cancelled");
  using kv = await Deno.openKv(`${folder}/interrupted/kv.sqlite3`);
  expect(await new JobStore(kv).counts()).toMatchObject({ queued: 0, running: 0, cancelled: 1 });
});

Deno.test("a wrong command exits with status 2, a wrong option or setting with status 1 and a message", async () => {
  expect(await deno(["serve"])).toMatchObject({ code: 2, output: expect.stringContaining("Usage:") });
  expect(await deno(["help"])).toMatchObject({ code: 0 });
  for (
    const [args, message] of [[["demo", "--epochs", "many"], "--epochs must be"], [
      ["demo", "--colour"],
      "--colour",
    ], [["start", "x"], "x"]] as const
  ) {
    const { code, output } = await deno(args);
    expect({ args, code }).toEqual({ args, code: 1 });
    expect(output).toContain(message);
    expect(output).not.toMatch(/^ {4}at /m);
  }
  const broken = await deno(["start"], { UNMASK_STORE: "s3://bucket", AWS_ACCESS_KEY_ID: "" });
  expect(broken).toMatchObject({
    code: 1,
    output: "AWS_ACCESS_KEY_ID must be set: UNMASK_STORE is s3://bucket\n",
  });
  await Deno.remove(folder, { recursive: true });
});
