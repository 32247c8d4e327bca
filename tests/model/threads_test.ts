import { expect } from "expect";
import { startWorker } from "../../model/training/threads.ts";

const MODULE = new URL("./echoThread.ts", import.meta.url);

/** Starts a thread and sends it a message. @returns the thread and its first message */
async function answer(text: string) {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const thread = startWorker(MODULE, { message: resolve, failed: (reason) => resolve(`failed: ${reason}`) });
  thread.postMessage(text);
  return { received: await promise, thread };
}

Deno.test("a thread answers the thread that started it", async () => {
  const { received, thread } = await answer("hello");
  expect(received).toBe("echo: hello");
  thread.terminate();
});

Deno.test("an uncaught error of a thread is reported to its starter", async () => {
  const { received, thread } = await answer("throw");
  expect(received).toMatch(/^failed: .*thrown by the thread/);
  thread.terminate();
});
