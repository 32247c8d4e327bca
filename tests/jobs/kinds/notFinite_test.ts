import { expect } from "expect";
import { requireFinite } from "../../../jobs/kinds/finite.ts";
import type { KindEvent } from "../../../jobs/kinds/kind.ts";
import { KindHarness } from "./harness.ts";

Deno.test("measuring a model whose numbers are not finite fails with advice", async () => {
  await using harness = await KindHarness.open();
  for (
    const [model, tensor] of [["mae", "decoder.decoder_pred.weight"], [
      "classifier",
      "encoder.norm.weight",
    ]] as const
  ) {
    const source = await harness.storeModel(model, { overflowing: tensor });
    const measuring = harness.run({ kind: "evaluate", checkpoint: source.id, dataset: "digits" }, { source });
    await expect(measuring).rejects.toMatchObject({
      code: "not_finite",
      message: expect.stringMatching(/not a finite number\. .*lower lr/),
    });
  }
});

Deno.test("fine-tuning a model whose numbers are not finite fails in the first step", async () => {
  await using harness = await KindHarness.open();
  const source = await harness.storeModel("mae", { overflowing: "encoder.norm.weight" });
  for (const kind of ["finetune", "linear_probe"]) {
    const body = { kind, checkpoint: source.id, dataset: { id: "digits", size: 64 }, batch_size: 64 };
    await expect(harness.run(body, { source })).rejects.toMatchObject({
      code: "loss_not_finite",
      message: expect.stringMatching(/step 1: training has diverged\. Choose a lower lr than 0\.001/),
    });
  }
});

Deno.test("a number that is not finite in any event fails the job", async () => {
  const reports: KindEvent[] = [
    { type: "result", result: { steps: 4, testLoss: NaN } },
    { type: "result", result: { confusion: [[1, 2], [3, -Infinity]] } },
    { type: "step", step: 3, epoch: 0, loss: 1, lr: Infinity, images: 1 },
    {
      type: "steps",
      images: 2,
      steps: [4, 5].map((step) => ({ step, epoch: 0, loss: 4 / (5 - step), lr: 1 })),
    },
    { type: "epoch", step: 3, epoch: 0, loss: 1, metrics: { accuracy: NaN } },
  ];
  const messages = [
    "test_loss is NaN",
    "1 is -Infinity",
    "lr of step 3 is Infinity",
    "loss of step 5 is Infinity",
    "accuracy of epoch 1 is NaN",
  ];
  for (const [index, report] of reports.entries()) {
    const first: KindEvent = { type: "log", level: "info", message: "begins" };
    const events = requireFinite((async function* () {
      yield await Promise.resolve(first);
      yield report;
    })());
    expect((await events.next()).value).toEqual(first);
    await expect(events.next()).rejects.toMatchObject({
      code: "not_finite",
      message: expect.stringContaining(messages[index]),
    });
  }
});
