import { expect } from "expect";
import type { Bytes } from "../../../data/bytes.ts";
import type { GetOptions, ObjectBody } from "../../../data/objects/store.ts";
import { StoreWrapper } from "../../../data/objects/storeWrapper.ts";
import { writeSafetensors } from "../../../data/safetensors/safetensors.ts";
import { loadWeights, openState } from "../../../jobs/artifacts/readCheckpoint.ts";
import { sha256 } from "../../../jobs/artifacts/sha256.ts";
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
