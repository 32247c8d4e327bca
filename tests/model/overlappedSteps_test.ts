import { expect } from "expect";
import { nextRound } from "../../data/eventLoop.ts";
import type { ImageBatch } from "../../model/training/objective.ts";
import type { Stepper } from "../../model/training/stepper.ts";
import { train, type TrainerEvent } from "../../model/training/trainer.ts";
import { options } from "./training.ts";

/** A stepper that computes nothing. It records the calls after it was disposed. */
class IdleStepper implements Stepper {
  readonly threads = 1;
  readonly note = null;
  readonly callsAfterEnd: string[] = [];
  #isDisposed = false;

  /** @param losses those of the first steps; of later ones it is 1 */
  constructor(readonly maxInFlight: number, readonly losses: readonly number[] = []) {}

  async prepare(_batch: unknown, _epoch: number, step: number) {
    this.#record("prepare");
    // A step that is prepared takes a while.
    await nextRound();
    return async () => {
      this.#record("run");
      await nextRound();
      return this.losses[step] ?? 1;
    };
  }

  weights() {
    return Promise.resolve(new Map());
  }

  state() {
    return Promise.resolve({ step: 0, expAvg: new Map(), expAvgSq: new Map() });
  }

  dispose() {
    this.#isDisposed = true;
    return Promise.resolve();
  }

  #record(call: string): void {
    if (this.#isDisposed) this.callsAfterEnd.push(call);
  }
}

/** Trains until the consumer, a loss or the signal ends the training, while a batch is read or a step is prepared. */
async function callsAfterEnd(stepper: IdleStepper, { rounds, abort = false, leave = false }: {
  rounds: number;
  abort?: boolean;
  leave?: boolean;
}): Promise<string[]> {
  const stop = new AbortController();
  const more = options({ model: "mae" }, {
    planner: { openStepper: () => Promise.resolve(stepper) },
    checkpointSteps: 100,
    async *batches(epoch, from) {
      for (const batch of options({ model: "mae" }).batches(epoch, from) as Iterable<ImageBatch>) {
        for (let round = 0; round < rounds; round++) await nextRound();
        yield batch;
      }
    },
  });
  const consume = async (events: AsyncIterable<TrainerEvent>) => {
    for await (const event of events) {
      if (event.type !== "step" || event.step < 2) continue;
      if (abort) stop.abort(new Error("stopped"));
      if (leave) return;
    }
  };
  await consume(train(more, { signal: stop.signal })).catch((error) => {
    if (leave) throw error;
  });
  for (let round = 0; round < 20; round++) await nextRound();
  return stepper.callsAfterEnd;
}

for (const maxInFlight of [1, 4]) {
  for (const rounds of [0, 1, 5]) {
    const title = `no step begins after the end, ${maxInFlight} in flight, batches after ${rounds} rounds`;
    Deno.test(title, async () => {
      expect(await callsAfterEnd(new IdleStepper(maxInFlight), { rounds, leave: true })).toEqual([]);
      expect(await callsAfterEnd(new IdleStepper(maxInFlight), { rounds, abort: true })).toEqual([]);
      expect(await callsAfterEnd(new IdleStepper(maxInFlight, [1, 1, NaN]), { rounds })).toEqual([]);
    });
  }
}
