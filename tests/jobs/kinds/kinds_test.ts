import { expect } from "expect";
import { loadState, loadWeights } from "../../../jobs/artifacts/readCheckpoint.ts";
import type { Checkpoint } from "../../../jobs/job.ts";
import type { KindContext, KindEvent } from "../../../jobs/kinds/kind.ts";
import { Bench } from "../bench.ts";

const MODEL = {
  patch_size: 7,
  embed_dim: 16,
  depth: 1,
  num_heads: 2,
  decoder_embed_dim: 8,
  decoder_depth: 1,
  decoder_num_heads: 2,
};
const digits = { id: "digits", size: 120 };
const training = { dataset: digits, batch_size: 40, epochs: 2, lr: 1e-3 };

const only = <T extends KindEvent["type"]>(events: KindEvent[], type: T) =>
  events.filter((event): event is Extract<KindEvent, { type: T }> => event.type === type);
const resultOf = (events: KindEvent[]) => only(events, "result")[0].result;
const checkpointsOf = (events: KindEvent[]) =>
  only(events, "checkpoint").map(({ checkpoint }): Checkpoint => ({
    ...checkpoint,
    createdAt: "2026-01-01T00:00:00.000Z",
  }));

Deno.test("pre-training, fine-tuning, probing and evaluating hand their models on", async (t) => {
  await using bench = await Bench.open();
  const events = await bench.run({ kind: "pretrain", model: MODEL, ...training });
  const [first, mae] = checkpointsOf(events);

  await t.step("a run tells its start, its steps, its epochs, a checkpoint each, and its result last", () => {
    expect(events.map(({ type }) => type)).toEqual([
      "started",
      ...["step", "step", "step", "epoch", "saving", "checkpoint"],
      ...["step", "step", "step", "epoch", "saving", "checkpoint"],
      "result",
    ]);
    expect(only(events, "started")[0]).toMatchObject({ totalSteps: 6, stepsPerEpoch: 3, step: 0 });
    expect([first.step, first.final, mae.step, mae.final]).toEqual([3, false, 6, true]);
    expect(resultOf(events)).toMatchObject({
      steps: 6,
      checkpoint: mae.id,
      loss: only(events, "epoch")[1].loss,
    });
  });

  await t.step("a checkpoint is read back with its state, and continues to the same end", async () => {
    expect((await loadState(bench.store, first, () => true)).step).toBe(3);
    const rest = await bench.run({ kind: "pretrain", model: MODEL, ...training }, { resumeFrom: first });
    expect(only(rest, "step")).toEqual(only(events, "step").slice(3));
    expect(checkpointsOf(rest)[0].sha256).toBe(mae.sha256);
  });

  await t.step("fine-tuning starts from the encoder and ends with an accuracy", async () => {
    const tuned = await bench.run({ kind: "finetune", checkpoint: mae.id, ...training, epochs: 1 }, {
      source: mae,
    });
    expect(resultOf(tuned)).toMatchObject({ testAccuracy: expect.any(Number), testLoss: expect.any(Number) });
    const [classifier] = checkpointsOf(tuned);
    expect(classifier).toMatchObject({
      model: "classifier",
      classNames: Array.from({ length: 10 }, (_, i) => String(i)),
    });

    const measured = await bench.run({ kind: "evaluate", checkpoint: classifier.id, dataset: digits }, {
      source: classifier,
    });
    const { accuracy, confusion } = resultOf(measured) as { accuracy: number; confusion: number[][] };
    expect(accuracy).toBe(resultOf(tuned).testAccuracy);
    expect(confusion.flat().reduce((a, b) => a + b)).toBe(2000);
    expect(confusion.reduce((sum, row, i) => sum + row[i], 0) / 2000).toBeCloseTo(accuracy, 12);
  });

  await t.step("a linear probe leaves the encoder as it was", async () => {
    const probed = await bench.run({ kind: "linear_probe", checkpoint: mae.id, ...training, epochs: 1 }, {
      source: mae,
    });
    const [before, after] = [
      await loadWeights(bench.store, mae),
      await loadWeights(bench.store, checkpointsOf(probed)[0]),
    ];
    for (const [name, { data }] of after) {
      if (name.startsWith("encoder.")) expect(data).toEqual(before.get(name)!.data);
    }
    expect(after.has("head.weight")).toBe(true);
  });

  await t.step(
    "an MAE is measured on its masked patches and on all pixels, the same for the same seed",
    async () => {
      const ask = (seed: number) =>
        bench.run({ kind: "evaluate", checkpoint: mae.id, dataset: digits, seed }, { source: mae });
      const first = resultOf(await ask(1));
      expect(first).toMatchObject({ images: 2000, loss: expect.any(Number), pixelLoss: expect.any(Number) });
      expect(resultOf(await ask(1))).toEqual(first);
      expect(resultOf(await ask(2)).loss).not.toBe(first.loss);
    },
  );
});

Deno.test("what a job cannot work with is its failure, by a code", async () => {
  await using bench = await Bench.open();
  const [mae] = checkpointsOf(await bench.run({ kind: "pretrain", model: MODEL, ...training, epochs: 1 }));
  const pretrain = { kind: "pretrain", model: MODEL, ...training };
  const failures: [Record<string, unknown>, Partial<KindContext>, string][] = [
    [{ ...pretrain, dataset: `ds_${"0".repeat(26)}` }, {}, "dataset_unusable"],
    [{ ...pretrain, batch_size: 500 }, {}, "no_batches"],
    [
      { ...pretrain, lr: 10, epochs: 40, weight_decay: 10, model: { ...MODEL, depth: 4 } },
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
    await expect(bench.run(body, context).then(() => "it succeeded", (error) => error.code)).resolves.toBe(
      code,
    );
  }
  await bench.store.put(mae.objectKey, new Uint8Array(mae.size));
  const tuning = bench.run({ kind: "finetune", checkpoint: mae.id, ...training }, { source: mae });
  await expect(tuning).rejects.toMatchObject({
    code: "checkpoint_unreadable",
    message: expect.stringContaining("SHA-256"),
  });
});

Deno.test("a stop is heard between two steps", async () => {
  await using bench = await Bench.open();
  const stop = AbortSignal.abort(new Error("stopped"));
  await expect(bench.run({ kind: "pretrain", model: MODEL, ...training }, { signal: stop })).rejects.toThrow(
    "stopped",
  );
});
