/**
 * A thread that the predictors of a process share.
 *
 * @module
 */
import { connectToParent } from "../../../training/threads.ts";
import { barrier, complete, fail } from "../plan/barrier.ts";
import type { FromThread, RunMessage, StartMessage, ToThread } from "./messages.ts";
import { ModelInstance } from "./modelInstance.ts";

const post: (message: FromThread) => void = connectToParent(handle);

let start: StartMessage;
const models = new Map<number, ModelInstance>();

function run({ model, chunks }: RunMessage): void {
  const { thread, threads, control } = start, instance = models.get(model)!;
  const wait = () => barrier(control, threads);
  for (const chunk of chunks) instance.run(chunk, thread, wait);
  if (complete(control, threads)) post({ type: "done" });
}

function handle(message: ToThread): void {
  try {
    switch (message.type) {
      case "start":
        start = message;
        return post({ type: "ready" });
      case "open":
        return void models.set(message.model, new ModelInstance(message.module, message.memory));
      case "program":
        return models.get(message.model)!.add(message.key, message);
      case "forget":
        return models.get(message.model)!.forget();
      case "close":
        return void models.delete(message.model);
      case "run":
        return run(message);
    }
  } catch (error) {
    if (start) fail(start.control);
    post({ type: "failed", message: error instanceof Error ? error.message : String(error) });
  }
}
