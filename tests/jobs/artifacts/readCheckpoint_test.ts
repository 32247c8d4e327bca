import { expect } from "expect";
import { writeSafetensors } from "../../../data/safetensors/safetensors.ts";
import { loadWeights } from "../../../jobs/artifacts/readCheckpoint.ts";
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
