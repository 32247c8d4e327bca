import { expect } from "expect";
import { readHeader } from "../../../data/safetensors/header.ts";
import { layoutSafetensors } from "../../../data/safetensors/layout.ts";
import { momentKey } from "../../../model/training/storedState.ts";
import { parameterSpecs } from "../../../model/weights.ts";
import { type Bytes, readBytes } from "../../../data/bytes.ts";
import type { GetOptions, ObjectBody } from "../../../data/objects/store.ts";
import { StoreWrapper } from "../../../data/objects/storeWrapper.ts";
import { readSafetensors, writeSafetensors } from "../../../data/safetensors/safetensors.ts";
import { toWire } from "../../../data/wire.ts";
import { loadWeights, openState } from "../../../jobs/artifacts/readCheckpoint.ts";
import { sha256 } from "../../../jobs/artifacts/sha256.ts";
import type { Checkpoint } from "../../../jobs/job.ts";
import { getCheckpoint } from "../../../jobs/store/checkpoints/read.ts";
import { selectBackend } from "../../../model/backends/select.ts";
import { completeConfig, imageDim } from "../../../model/config.ts";
import { reconstruct } from "../../../model/prediction/inference.ts";
import { openPredictor } from "../../../model/prediction/openPredictor.ts";
import { uniform } from "../../../model/random.ts";
import { KindHarness } from "../kinds/harness.ts";

Deno.test("a file whose metadata has a config that is not a JSON object is rejected", async () => {
  await using harness = await KindHarness.open();
  const checkpoint = await harness.storeModel("mae");
  for (const config of ["{", "", "null", "[]", "7", '"mnist"']) {
    const bytes = writeSafetensors(new Map(), { config });
    await harness.store.put(checkpoint.objectKey, bytes);
    const row = { ...checkpoint, sha256: await sha256(bytes) };
    await expect(loadWeights(harness.store, row)).rejects.toMatchObject({
      code: "checkpoint_unreadable",
      message: expect.stringContaining("config is not"),
    });
  }
});

/** The fields that the configuration of an earlier version had. */
const OLD_FIELDS = [
  ...["imageSize", "patchSize", "inChannels", "embedDim", "depth", "numHeads", "decoderEmbedDim"],
  ...["decoderDepth", "decoderNumHeads", "mlpRatio", "maskRatio", "dropout"],
];

Deno.test("a checkpoint of an earlier version, without the newer fields, computes the same bits", async () => {
  await using harness = await KindHarness.open();
  using kv = await Deno.openKv(":memory:");
  const { planner } = await selectBackend("simd");
  for (const model of ["mae", "classifier"] as const) {
    const now = await harness.storeModel(model);
    const config = Object.fromEntries(
      Object.entries(now.config).filter(([name]) => OLD_FIELDS.includes(name)),
    );
    const { tensors, metadata } = readSafetensors(
      await readBytes((await harness.store.get(now.objectKey)).body),
    );
    const bytes = writeSafetensors(tensors, { ...metadata, config: JSON.stringify(toWire(config)) });
    const objectKey = "earlier.safetensors";
    await harness.store.put(objectKey, bytes);
    await kv.set(["checkpoint", now.id], { ...now, config, objectKey, sha256: await sha256(bytes) });

    const earlier = (await getCheckpoint(kv, now.id))!;
    expect(earlier.config).toEqual(now.config);
    const pixels = uniform({ seed: 0, purpose: "images" }, 2 * imageDim(now.config));
    const compute = async (checkpoint: Checkpoint) => {
      const weights = await loadWeights(harness.store, checkpoint), { config } = checkpoint;
      const predictor = await openPredictor({ config, weights, threads: 1 }, planner);
      try {
        return model === "mae"
          ? (await reconstruct(predictor, pixels, { seed: 0, maskRatio: 0.5 })).pred
          : await predictor.logits(pixels);
      } finally {
        await predictor.dispose();
      }
    };
    expect(await compute(earlier)).toEqual(await compute(now));
    const { step } = await openState(harness.store, earlier, false);
    expect(step).toBe(1);
  }
});

/** A store that counts the bodies that were neither read to their end nor cancelled. */
class WatchedStore extends StoreWrapper {
  open = 0;

  override async get(key: string, options?: GetOptions): Promise<ObjectBody> {
    const found = await this.inner.get(key, options), reader = found.body.getReader();
    this.open++;
    const body = new ReadableStream<Bytes>({
      pull: async (controller) => {
        const { done, value } = await reader.read();
        if (!done) return controller.enqueue(value);
        this.open--;
        controller.close();
      },
      cancel: async () => {
        this.open--;
        await reader.cancel();
      },
    }, { highWaterMark: 0 });
    return { ...found, body };
  }

  protected override intercept<T>(call: () => Promise<T>): Promise<T> {
    return call();
  }
}

Deno.test("a state that cannot be resumed is rejected, and its files are closed", async () => {
  await using harness = await KindHarness.open();
  const checkpoint = await harness.storeModel("mae"), store = new WatchedStore(harness.store);
  const { step, weights } = await openState(store, checkpoint, false);
  expect(step).toBe(1);
  for await (const _firstTensor of weights()) break;
  expect(store.open).toBe(0);

  const otherRow = { ...checkpoint, config: { ...checkpoint.config, decoderDepth: 2 } };
  const otherMetadata = { ...checkpoint, config: { ...checkpoint.config, maskRatio: 0.5 } };
  for (const row of [otherRow, otherMetadata]) {
    await expect(openState(store, row, false)).rejects.toMatchObject({ code: "checkpoint_unreadable" });
    expect(store.open).toBe(0);
  }
  const empty = writeSafetensors(new Map(), { step: "1", epoch_loss_sum: "1" });
  await harness.store.put(checkpoint.stateKey!, empty);
  await expect(openState(store, checkpoint, false)).rejects.toMatchObject({
    code: "checkpoint_unreadable",
    message: expect.stringContaining("has no 'exp_avg."),
  });
  expect(store.open).toBe(0);
});

Deno.test("the header of the deepest model's optimiser state is within the limits of headers", () => {
  const config = completeConfig({ depth: 64, decoderDepth: 64, clsToken: true });
  const specs = parameterSpecs(config, { model: "mae" }).flatMap(({ name, shape }) =>
    (["exp_avg", "exp_avg_sq"] as const).map((moment) => ({
      name: momentKey(moment, name),
      dtype: "F32" as const,
      shape,
    }))
  );
  const { header, size } = layoutSafetensors(specs);
  expect(readHeader(header, size).tensors.size).toBe(specs.length);
});
