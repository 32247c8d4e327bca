import { expect } from "expect";
import { ChildProcess } from "../../../jobs/process/child.ts";
import { isUnknownFlag } from "../../../jobs/process/vectors.ts";
import type { ToScripted } from "./scriptedChild.ts";

const MODULE = new URL("./scriptedChild.ts", import.meta.url);

/** Starts a child. `next` returns its next message. */
function start(v8Flags: readonly string[] = []) {
  const messages: unknown[] = [], output: string[] = [];
  let arrived = Promise.withResolvers<void>();
  const child = new ChildProcess<ToScripted, unknown>(MODULE, {
    v8Flags,
    output: (line) => output.push(line),
    message: (message) => {
      messages.push(message);
      arrived.resolve();
    },
  });
  const next = async () => {
    while (messages.length === 0) {
      await arrived.promise;
      arrived = Promise.withResolvers();
    }
    return messages.shift();
  };
  return { child, messages, output, next };
}

Deno.test("messages are structured-cloned in both directions, typed arrays included", async () => {
  const { child, next } = start();
  for (const value of [new Float32Array([1, 2.5]), { deep: [new Map([[1, 2]])] }, "text"]) {
    child.send({ type: "echo", value });
    expect(await next()).toEqual(value);
  }
  expect(await child.kill()).toMatchObject({ code: null, signal: "SIGKILL", sentSignal: "SIGKILL" });
});

Deno.test("messages sent just before an exit arrive in order before the exit is reported", async () => {
  const { child, messages } = start();
  child.send({ type: "count_and_exit", count: 100, code: 7 });
  expect(await child.exited).toMatchObject({ code: 7, signal: null, sentSignal: null });
  expect(messages).toEqual(Array.from({ length: 100 }, (_, i) => i));
  child.send({ type: "echo", value: 1 });
  expect((await child.stop({ type: "stop" })).code).toBe(7);
});

Deno.test("the exit report has the signal of an abort and the last output, without colours", async () => {
  const { child, output, next } = start();
  child.send({
    type: "print",
    lines: ["\x1b[31mred\x1b[0m", "", "x".repeat(2_000), ...Array(70).fill("last")],
  });
  child.send({ type: "echo", value: "printed" });
  await next();
  child.send({ type: "abort" });
  const exit = await child.exited;
  expect(exit).toMatchObject({ code: null, signal: "SIGABRT", sentSignal: null });
  expect(exit.lastOutput.length).toBe(60);
  expect(output.slice(0, 3)).toEqual(["red", "x".repeat(500), "last"]);
});

Deno.test("an uncaught error is in the last output", async () => {
  const { child } = start();
  child.send({ type: "throw", message: "thrown by the child" });
  const { code, lastOutput } = await child.exited;
  expect(code).toBe(1);
  expect(lastOutput.join("\n")).toContain("thrown by the child");
});

Deno.test("a child can report its uncaught errors and continue", async () => {
  const { child, next } = start();
  child.send({ type: "throw_caught" });
  expect(await next()).toBe("in a callback");
  expect(await next()).toBe("in a promise");
  await child.kill();
});

Deno.test("a child that fills its heap ends with V8's message", async () => {
  const { child } = start(["--max-heap-size=60"]);
  child.send({ type: "fill_heap" });
  const { signal, lastOutput } = await child.exited;
  expect(signal).not.toBe(null);
  expect(lastOutput.join("\n")).toContain("out of memory");
});

Deno.test("an unknown flag of V8 ends the child with exit code 1 and a message", async () => {
  const { child } = start(["--no-such-flag"]);
  const exit = await child.exited;
  expect(exit.code).toBe(1);
  expect(exit.lastOutput[0]).toContain("V8 did not recognize flag '--no-such-flag'");
  expect(isUnknownFlag(exit)).toBe(true);
});

Deno.test("a child that answers the stop message ends by itself", async () => {
  const { child } = start();
  expect(await child.stop({ type: "stop" }, { termMs: 60_000, killMs: 60_000 }))
    .toMatchObject({ code: 0, sentSignal: null });
});

Deno.test("a child that computes does not answer the stop message and ends by a signal", async () => {
  const { child, next } = start();
  child.send({ type: "compute" });
  expect(await next()).toBe("computing");
  const stopped = child.stop({ type: "stop" }, { termMs: 10, killMs: 10 });
  expect(child.stop()).toBe(stopped);
  expect(await stopped).toMatchObject({ signal: "SIGKILL", sentSignal: "SIGKILL" });
});

Deno.test("a child that waits despite the stop message ends by SIGTERM", async () => {
  const { child, next } = start();
  child.send({ type: "ignore_stop" });
  child.send({ type: "echo", value: "ready" });
  await next();
  expect(await child.stop({ type: "stop" }, { termMs: 10, killMs: 60_000 }))
    .toMatchObject({ code: 143, sentSignal: "SIGTERM" });
});

Deno.test("a signal to the whole process group does not end a child that its parent has not stopped", async () => {
  const { child, next } = start();
  child.send({ type: "echo", value: "ready" });
  await next();
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    Deno.kill(child.pid!, signal);
    child.send({ type: "echo", value: signal });
    expect(await next()).toBe(signal);
  }
  expect(await child.stop({ type: "stop" }, { termMs: 60_000, killMs: 60_000 })).toMatchObject({ code: 0 });
});

Deno.test({
  name: "a child that cannot be started for lack of file descriptors is reported as ended",
  ignore: Deno.build.os === "windows",
  async fn() {
    const module = new URL("./withoutDescriptors.ts", import.meta.url).href;
    const { stdout } = await new Deno.Command("sh", {
      args: ["-c", 'ulimit -n 64; exec "$@"', "sh", Deno.execPath(), "run", "-A", module],
    }).output();
    const { pid, exit } = JSON.parse(new TextDecoder().decode(stdout));
    expect(pid).toBe(undefined);
    expect(exit).toMatchObject({ code: null, signal: null, sentSignal: null });
    expect(exit.lastOutput.join("\n")).toContain("Too many open files");
  },
});

for (const state of ["waits", "computes"]) {
  Deno.test(`a child that ${state} ends when its parent is killed`, async () => {
    using listener = Deno.listen({ port: 0 });
    const parent = new Deno.Command(Deno.execPath(), {
      args: ["run", "-A", new URL("./orphaning.ts", import.meta.url).href, String(listener.addr.port), state],
    }).spawn();
    using connection = await listener.accept();
    const byte = new Uint8Array(1);
    expect(await connection.read(byte)).toBe(1);
    parent.kill("SIGKILL");
    await parent.status;
    // The connection ends with the child.
    expect(await connection.read(byte).catch(() => null)).toBe(null);
  });
}
