import { expect } from "expect";
import { writeSafetensors } from "../../../data/safetensors/safetensors.ts";
import { parseWeights } from "../../../jobs/artifacts/readCheckpoint.ts";
import { PRESETS } from "../../../model/presets.ts";

Deno.test("a file whose metadata has a config that is not a JSON object is rejected", () => {
  for (const config of ["{", "", "null", "[]", "7", '"mnist"']) {
    const bytes = writeSafetensors(new Map(), { config });
    expect(() => parseWeights(bytes, PRESETS.mnist, { model: "mae" })).toThrow(
      expect.objectContaining({ name: "WeightsError" }),
    );
  }
});
