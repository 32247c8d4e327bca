import { expect } from "expect";
import { ThreadHost, threadRequester } from "../../../jobs/runner/threads.ts";
import { type StartThread, startWorker } from "../../../model/training/threads.ts";

const MODULE = new URL("../echoThread.ts", import.meta.url);

/** Starts a thread and sends it a message. @returns the thread and its first message */
async function answer(start: StartThread, text: string) {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const thread = start(MODULE, { message: resolve, failed: (reason) => resolve(`failed: ${reason}`) });
  thread.postMessage(text);
  return { received: await promise, thread };
}

Deno.test("a thread receives and sends the same messages, whether a worker or the runner started it", async () => {
  const host = new ThreadHost(() => {});
  for (const start of [startWorker, threadRequester((message) => host.handle(message))]) {
    const { received, thread } = await answer(start, "hello");
    expect(received).toBe("echo: hello");
    thread.terminate();
  }
  host.end();
});

Deno.test("an uncaught error of a thread is reported to its starter or to the host", async () => {
  const { received, thread } = await answer(startWorker, "throw");
  expect(received).toMatch(/^failed: .*thrown by the thread/);
  thread.terminate();

  const { promise, resolve } = Promise.withResolvers<string>();
  const host = new ThreadHost(resolve);
  const requested = threadRequester((message) => host.handle(message))(MODULE, { message() {}, failed() {} });
  requested.postMessage("throw");
  expect(await promise).toMatch(/thrown by the thread/);
  host.end();
});

Deno.test("an ended host starts no thread", async () => {
  const host = new ThreadHost(() => {});
  host.end();
  const { port1, port2 } = new MessageChannel();
  const answered = Promise.withResolvers<string>();
  port1.onmessage = ({ data }) => answered.resolve(data);
  host.handle({ type: "thread", id: 1, module: MODULE.href, port: port2 });
  // The port was not transferred to a thread, so it can still be used here.
  port2.onmessage = ({ data }) => port2.postMessage(`not transferred: ${data}`);
  port1.postMessage("hello");
  expect(await answered.promise).toBe("not transferred: hello");
  port1.close();
  port2.close();
});
