import { expect } from "expect";
import { selectBackend } from "../../model/backends/select.ts";
import { PlanError } from "../../model/planError.ts";
import type { StepPlanner } from "../../model/training/stepper.ts";
import { train, type TrainerState } from "../../model/training/trainer.ts";
import { collectTensors } from "../../model/weights.ts";
import { findTensorflow } from "../setup/tensorflow.ts";
import { collect, options, testTraining } from "./training.ts";

// wasm runs operation by operation, simd in planned steps.
testTraining("wasm", 1);
testTraining("simd", 1);
testTraining("simd", 3);
testTraining("simd", 3, { vectorBits: 256 });
const native = await findTensorflow();
if (native) testTraining("tensorflow", 2, native);

Deno.test("a training whose planner reads the weights and then rejects it runs operation by operation", async () => {
  await selectBackend("wasm");
  const planner: StepPlanner = {
    async openStepper({ weights, state }) {
      await collectTensors(weights);
      if (state) await collectTensors(state.moments);
      throw new PlanError("a buffer is too large");
    },
  };
  const training = options({ model: "mae" }), whole = await collect(train(training));
  expect(await collect(train({ ...training, planner }))).toEqual(whole);
  const saved = whole.find((event) => event.type === "checkpoint")!.state as TrainerState;
  const rest = await collect(train({ ...training, planner }, { resumeFrom: saved }));
  expect(rest).toEqual(whole.filter((event) => event.step > saved.step));
});

Deno.test("a training whose weights cannot be read ends its workers", async () => {
  const { planner } = await selectBackend("simd"), { Worker } = globalThis;
  let running = 0;
  try {
    globalThis.Worker = class extends Worker {
      constructor(...args: ConstructorParameters<typeof Worker>) {
        super(...args);
        running++;
      }
      override terminate(): void {
        running--;
        super.terminate();
      }
    };
    const initial = () => Promise.reject(new Error("the checkpoint is damaged"));
    const training = options({ model: "mae" }, { planner, threads: 2, initial });
    await expect(collect(train(training))).rejects.toThrow("damaged");
    expect(running).toBe(0);
  } finally {
    globalThis.Worker = Worker;
  }
});
