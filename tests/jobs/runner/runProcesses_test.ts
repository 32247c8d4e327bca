import { expect } from "expect";
import { RunProcesses, type RunProcessesOptions } from "../../../jobs/runner/runProcesses.ts";

function open(options: Partial<RunProcessesOptions> = {}): RunProcesses {
  return new RunProcesses({
    module: new URL("../scriptedRun.ts", import.meta.url),
    vectors: Promise.resolve({ bits: 128, note: null }),
    log() {},
    ...options,
  });
}

Deno.test("a prepared process is used once, and only one is prepared", async () => {
  const started: number[] = [];
  const processes = open({ flags: (bits) => (started.push(bits), []) });
  processes.prepare();
  processes.prepare();
  const first = await processes.take();
  expect(started.length).toBe(1);
  const second = await processes.take();
  expect(started.length).toBe(2);
  expect(second.process).not.toBe(first.process);
  await Promise.all([first.process.kill(), second.process.kill(), processes.close()]);
});

Deno.test("two runs that start at the same time get two processes", async () => {
  const processes = open();
  processes.prepare();
  const [first, second] = await Promise.all([processes.take(), processes.take()]);
  expect(second.process).not.toBe(first.process);
  await Promise.all([first.process.kill(), second.process.kill(), processes.close()]);
});

Deno.test("a spare process that was killed is replaced", async () => {
  const output: string[] = [];
  const processes = open({ log: (line) => output.push(line) });
  processes.prepare();
  const killed = await processes.take();
  await killed.process.kill();
  const { process } = await processes.take();
  expect(await process.ready).toBe(null);
  expect(process.hasEnded).toBe(false);
  await Promise.all([process.kill(), processes.close()]);
});

Deno.test("a version of V8 without the flags for 256 bits gets a process without flags, now and later", async () => {
  const processes = open({
    vectors: Promise.resolve({ bits: 256, note: null }),
    flags: (bits) => bits === 256 ? ["--no-such-flag"] : [],
  });
  processes.prepare();
  for (let i = 0; i < 2; i++) {
    const { process, vectors } = await processes.take();
    expect(await process.ready).toBe(null);
    expect(vectors.bits).toBe(128);
    expect(vectors.note).toContain("this version of Deno has no flags");
    await process.kill();
  }
  await processes.close();
});

Deno.test("a closed runner prepares no process", async () => {
  const started: number[] = [];
  const processes = open({ flags: (bits) => (started.push(bits), []) });
  await processes.close();
  processes.prepare();
  expect(started).toEqual([]);
});
