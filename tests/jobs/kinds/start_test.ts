import { expect } from "expect";
import { completeConfig, type MaeConfig } from "../../../model/config.ts";
import { fromWire } from "../../../data/wire.ts";
import type { Checkpoint } from "../../../jobs/job.ts";
import { keys } from "../../../jobs/store/rows/keys.ts";
import { isFinished } from "../../../jobs/transitions.ts";
import { importModel, startRequest } from "../importedModel.ts";
import { eventsOf, KindHarness, MODEL } from "./harness.ts";
import { Installation } from "./installation.ts";

const CONFIG = completeConfig(fromWire(MODEL)), MAE = { model: "mae" } as const;
const RECIPE = { dataset: { id: "digits", size: 16, seed: 3 }, batch_size: 8, seed: 4 };

/** The fields of a configuration that the first version stored. */
const FIRST_FIELDS: readonly (keyof MaeConfig)[] = [
  "imageSize",
  "patchSize",
  "inChannels",
  "embedDim",
  "depth",
  "numHeads",
  "decoderEmbedDim",
  "decoderDepth",
  "decoderNumHeads",
  "mlpRatio",
  "maskRatio",
  "dropout",
];

/** Removes the fields that were added to the configuration of a checkpoint's row. */
async function storeAsBefore({ jobs }: Installation, row: Checkpoint): Promise<void> {
  const config = Object.fromEntries(FIRST_FIELDS.map((field) => [field, row.config[field]]));
  await jobs.kv.set(keys.checkpoint(row.id), { ...row, config });
}

Deno.test("jobs that an earlier version queued or interrupted have the same results", async (t) => {
  const folder = await Deno.makeTempDir();
  {
    await using installation = await Installation.open(folder);
    const { jobs, objects } = installation;
    const source = await importModel(jobs, objects, CONFIG, MAE);
    const cases = {
      finetune: { epochs: 12 },
      linear_probe: { epochs: 600, checkpoint_every: { epochs: 25 } },
    };
    for (const [kind, length] of Object.entries(cases)) {
      await t.step(kind, async () => {
        const request = startRequest(source, { kind, ...RECIPE, ...length });
        const { job: { id: whole } } = await jobs.create(request);
        await installation.until(whole, ({ status }) => isFinished(status));
        const expected = await installation.outcome(whole);

        await storeAsBefore(installation, source);
        const { model: _, ...earlier } = request;
        const { job: { id } } = await jobs.create(earlier);
        await installation.until(id, ({ latestCheckpoint }) => latestCheckpoint !== null);
        for (const row of await installation.checkpoints(id)) await storeAsBefore(installation, row);
        await installation.until(id, ({ status }) => isFinished(status));
        expect(await installation.outcome(id)).toEqual(expected);
      });
    }
  }
  await Deno.remove(folder, { recursive: true });
});

Deno.test("a job whose checkpoint has no row does not start from random weights", async () => {
  await using harness = await KindHarness.open();
  const mae = await harness.storeModel("mae");
  for (const kind of ["pretrain", "finetune", "linear_probe"]) {
    const request = startRequest(mae, { kind, ...RECIPE });
    await expect(harness.run({}, { request, source: null })).rejects.toMatchObject({
      code: "checkpoint_unreadable",
      message: expect.stringContaining(mae.id),
    });
  }
});

Deno.test("a run resumes without the checkpoint that it started from", async () => {
  await using harness = await KindHarness.open();
  // The row of a checkpoint does not have class names that are so long.
  const source = { ...await harness.storeModel("classifier"), classNames: null, classes: 10 };
  const request = startRequest(source, { kind: "finetune", ...RECIPE, epochs: 2 });
  const events = await harness.run({}, { request, source });
  const [first] = eventsOf(events, "checkpoint");
  const resumePoints = [{ ...first.checkpoint, createdAt: "" }];
  await harness.store.delete(source.objectKey);
  const rest = await harness.run({}, { request, source, resumePoints });
  expect(eventsOf(rest, "step")).toEqual(eventsOf(events, "step").slice(2));
});
