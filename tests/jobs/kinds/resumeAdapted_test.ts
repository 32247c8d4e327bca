import { expect } from "expect";
import { fromWire } from "../../../data/wire.ts";
import { completeConfig } from "../../../model/config.ts";
import { isFinished } from "../../../jobs/transitions.ts";
import { importModel, startRequest } from "../importedModel.ts";
import { MODEL } from "./harness.ts";
import { Installation } from "./installation.ts";

const IMPORTED = completeConfig({
  ...fromWire(MODEL),
  clsToken: true,
  positions: "stored",
  inChannels: 3,
  normalize: { mean: [0.4, 0.5, 0.6], std: [0.2, 0.3, 0.4] },
});
const RECIPE = { dataset: { id: "digits", size: 16, seed: 3 }, batch_size: 8, seed: 4 };
const OTHER_IMAGES = { in_channels: 1, image_size: 42 };

const CASES = [
  ["pretrain", { ...OTHER_IMAGES, dropout: 0.1, masking: "block", norm_pix_loss: true }, { epochs: 12 }],
  ["finetune", { ...OTHER_IMAGES, drop_path: 0.2, fc_norm: true }, { epochs: 12 }],
  // The steps of a probe are short.
  ["linear_probe", { ...OTHER_IMAGES, pool: "cls" }, { epochs: 600, checkpoint_every: { epochs: 25 } }],
] as const;

Deno.test("a run from an imported model with other images resumes, also from an older checkpoint, with the same bits", async (t) => {
  const folder = await Deno.makeTempDir();
  {
    await using installation = await Installation.open(folder);
    const source = await importModel(installation.jobs, installation.objects, IMPORTED, { model: "mae" });
    for (const [kind, model, length] of CASES) {
      await t.step(kind, async () => {
        const body = startRequest(source, { kind, model, ...RECIPE, ...length });
        const { job: { id: whole } } = await installation.jobs.create(body);
        await installation.until(whole, ({ status }) => isFinished(status));
        const expected = await installation.outcome(whole);
        const { job: { id } } = await installation.jobs.create(body);
        const stopped = await installation.until(id, ({ latestCheckpoint }) => latestCheckpoint !== null);
        expect(stopped).toMatchObject({ status: "queued" });
        const again = await installation.until(
          id,
          (job) => job.latestCheckpoint !== stopped.latestCheckpoint,
        );
        expect(again).toMatchObject({ status: "queued" });
        const [damaged, older] = await installation.checkpoints(id);
        await Deno.truncate(installation.path(damaged.objectKey), damaged.size - 9);
        expect(older.config).toMatchObject({ positions: "stored" });
        await installation.until(id, ({ status }) => isFinished(status));
        expect(await installation.outcome(id)).toEqual(expected);
        const [checkpoint] = await installation.checkpoints(id);
        expect(checkpoint.config).toMatchObject({ positions: "stored", imageSize: 42, inChannels: 1 });
      });
    }
  }
  await Deno.remove(folder, { recursive: true });
});
