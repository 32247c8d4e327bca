import { expect } from "expect";
import { ThreadHost, threadsByAsking } from "../../../jobs/runner/threads.ts";
import { type StartThread, startWorker } from "../../../model/training/threads.ts";

const MODULE = new URL("../echoThread.ts", import.meta.url);

/** The next thing that a thread says, once it is asked. */
async function answer(start: StartThread, question: string) {
  const { promise, resolve } = Promise.withResolvers<unknown>();
  const thread = start(MODULE, { message: resolve, failed: (reason) => resolve(`failed: ${reason}`) });
  thread.postMessage(question);
  return { said: await promise, thread };
}

Deno.test("a thread is heard the same, whoever started it", async () => {
  const host = new ThreadHost(() => {});
  for (const start of [startWorker, threadsByAsking((message) => host.take(message))]) {
    const { said, thread } = await answer(start, "a word");
    expect(said).toBe("heard a word");
    thread.terminate();
  }
  host.end();
});

Deno.test("a thread that falls over is told to whoever can end the run", async () => {
  const own = await answer(startWorker, "fall");
  expect(own.said).toMatch(/^failed: .*it fell/);
  own.thread.terminate();

  const { promise, resolve } = Promise.withResolvers<string>();
  const host = new ThreadHost(resolve);
  const thread = threadsByAsking((message) => host.take(message))(MODULE, { message() {}, failed() {} });
  thread.postMessage("fall");
  expect(await promise).toMatch(/it fell/);
  host.end();
});

Deno.test("a run that has ended starts no threads any more", async () => {
  const host = new ThreadHost(() => {});
  host.end();
  const { port1, port2 } = new MessageChannel();
  const heard = Promise.withResolvers<string>();
  port1.onmessage = ({ data }) => heard.resolve(data);
  host.take({ type: "thread", id: 1, module: MODULE.href, port: port2 });
  // The other end is still here to speak with: no thread has it.
  port2.onmessage = ({ data }) => port2.postMessage(`nobody took ${data}`);
  port1.postMessage("it");
  expect(await heard.promise).toBe("nobody took it");
  port1.close();
  port2.close();
});
