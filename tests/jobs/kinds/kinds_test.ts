import { expect } from "expect";
import { readBytes } from "../../../data/bytes.ts";
import { loadWeights, openState } from "../../../jobs/artifacts/readCheckpoint.ts";
import type { KindContext, KindEvent } from "../../../jobs/kinds/kind.ts";
import type { TrainingRequest } from "../../../jobs/requests/trainingFields.ts";
import { request } from "../fixtures.ts";
import { DIGITS, eventsOf, KindHarness, MODEL, withCreatedAt } from "./harness.ts";

const digits = { id: "digits", size: 120 };
const training = { dataset: digits, batch_size: 40, epochs: 2, lr: 1e-3 };

const resultOf = (events: KindEvent[]) => eventsOf(events, "result")[0].result;
const checkpointsOf = (events: KindEvent[]) =>
  eventsOf(events, "checkpoint").map(({ checkpoint }) => withCreatedAt(checkpoint));

Deno.test("checkpoints of pre-training are fine-tuned, probed and evaluated", async (t) => {
  await using harness = await KindHarness.open();
  const events = await harness.run({ kind: "pretrain", model: MODEL, ...training });
  const [first, mae] = checkpointsOf(events);

  await t.step("a run reports its start, steps, epochs and checkpoints, and its result last", () => {
    expect(events.map(({ type }) => type)).toEqual([
      "started",
      ...["step", "step", "step", "epoch", "saving", "checkpoint"],
      ...["step", "step", "step", "epoch", "saving", "checkpoint"],
      "result",
    ]);
    expect(eventsOf(events, "started")[0]).toMatchObject({ totalSteps: 6, stepsPerEpoch: 3, step: 0 });
    expect([first.step, first.final, mae.step, mae.final]).toEqual([3, false, 6, true]);
    expect(resultOf(events)).toMatchObject({
      steps: 6,
      checkpoint: mae.id,
      loss: eventsOf(events, "epoch")[1].loss,
    });
  });

  await t.step("a run that resumes from a checkpoint ends with the same weights", async () => {
    expect((await openState(harness.store, first, false)).step).toBe(3);
    const rest = await harness.run({ kind: "pretrain", model: MODEL, ...training }, {
      resumePoints: [first],
    });
    expect(eventsOf(rest, "step")).toEqual(eventsOf(events, "step").slice(3));
    expect(checkpointsOf(rest)[0].sha256).toBe(mae.sha256);
  });

  await t.step(
    "a request of an earlier version, without a field of the recipe, has its default",
    async () => {
      const body = { kind: "pretrain", model: MODEL, ...training };
      const { eps: _, ...earlier } = request(body) as TrainingRequest;
      const again = await harness.run({}, { request: earlier });
      expect(checkpointsOf(again)[1].sha256).toBe(mae.sha256);
    },
  );

  await t.step(
    "fine-tuning reports the test accuracy, and evaluating the classifier reports the same",
    async () => {
      const tuned = await harness.run({ kind: "finetune", checkpoint: mae.id, ...training, epochs: 1 }, {
        source: mae,
      });
      expect(resultOf(tuned)).toMatchObject({
        testAccuracy: expect.any(Number),
        testLoss: expect.any(Number),
      });
      const [classifier] = checkpointsOf(tuned);
      expect(classifier).toMatchObject({
        model: "classifier",
        classNames: DIGITS,
      });

      const measured = await harness.run({ kind: "evaluate", checkpoint: classifier.id, dataset: digits }, {
        source: classifier,
      });
      const { accuracy, confusion } = resultOf(measured) as { accuracy: number; confusion: number[][] };
      expect(accuracy).toBe(resultOf(tuned).testAccuracy);
      expect(confusion.flat().reduce((a, b) => a + b)).toBe(2000);
      expect(confusion.reduce((sum, row, i) => sum + row[i], 0) / 2000).toBeCloseTo(accuracy, 12);
    },
  );

  await t.step("a linear probe does not change the encoder", async () => {
    const probed = await harness.run({ kind: "linear_probe", checkpoint: mae.id, ...training, epochs: 1 }, {
      source: mae,
    });
    const [before, after] = [
      await loadWeights(harness.store, mae),
      await loadWeights(harness.store, checkpointsOf(probed)[0]),
    ];
    for (const [name, { data }] of after) {
      if (name.startsWith("encoder.")) expect(data).toEqual(before.get(name)!.data);
    }
    expect(after.has("head.weight")).toBe(true);
  });

  await t.step(
    "evaluating an MAE reports the loss of masked patches and of all pixels, the same for the same seed",
    async () => {
      const evaluate = (seed: number, more = {}) =>
        harness.run({ kind: "evaluate", checkpoint: mae.id, dataset: digits, seed, ...more }, {
          source: mae,
        });
      const first = resultOf(await evaluate(1));
      expect(first).toMatchObject({ images: 2000, loss: expect.any(Number), pixelLoss: expect.any(Number) });
      expect(resultOf(await evaluate(1))).toEqual(first);
      expect(resultOf(await evaluate(2)).loss).not.toBe(first.loss);
      const losses = [first.loss];
      for (const masking of ["grid", "block"]) losses.push(resultOf(await evaluate(1, { masking })).loss);
      expect(new Set(losses).size).toBe(3);
      expect(resultOf(await evaluate(1, { masking: "random" }))).toEqual(first);
    },
  );
});

Deno.test("a job that cannot run fails with a code", async () => {
  await using harness = await KindHarness.open();
  const [mae] = checkpointsOf(await harness.run({ kind: "pretrain", model: MODEL, ...training, epochs: 1 }));
  const pretrain = { kind: "pretrain", model: MODEL, ...training };
  const failures: [Record<string, unknown>, Partial<KindContext>, string][] = [
    [{ ...pretrain, dataset: `ds_${"0".repeat(26)}` }, {}, "dataset_unusable"],
    [{ ...pretrain, batch_size: 500 }, {}, "no_batches"],
    [
      // Without a checkpoint in between, no check of the weights comes before that of the loss.
      {
        ...pretrain,
        lr: 10,
        epochs: 40,
        checkpoint_every: { epochs: 40 },
        weight_decay: 10,
        model: { ...MODEL, depth: 4 },
      },
      {},
      "loss_not_finite",
    ],
    [
      { kind: "evaluate", checkpoint: mae.id, dataset: digits, mask_ratio: 0.99 },
      { source: mae },
      "mask_ratio",
    ],
  ];
  for (const [body, context, code] of failures) {
    await expect(harness.run(body, context).then(() => "it succeeded", (error) => error.code)).resolves.toBe(
      code,
    );
  }
  const damaged = await readBytes((await harness.store.get(mae.objectKey)).body);
  damaged[damaged.length - 4] ^= 1;
  await harness.store.put(mae.objectKey, damaged);
  const tuning = harness.run({ kind: "finetune", checkpoint: mae.id, ...training }, { source: mae });
  await expect(tuning).rejects.toMatchObject({
    code: "checkpoint_unreadable",
    message: expect.stringContaining("SHA-256"),
  });
});

Deno.test("a job of a kind that this version does not have fails", async () => {
  await using harness = await KindHarness.open();
  const running = harness.run({}, { request: { ...request(), kind: "distill" } });
  await expect(running).rejects.toMatchObject({
    code: "unknown_kind",
    message: expect.stringContaining("'distill'"),
  });
});

Deno.test("a run ends between two steps when its signal is aborted", async () => {
  await using harness = await KindHarness.open();
  const stop = AbortSignal.abort(new Error("stopped"));
  await expect(harness.run({ kind: "pretrain", model: MODEL, ...training }, { signal: stop })).rejects
    .toThrow(
      "stopped",
    );
});
