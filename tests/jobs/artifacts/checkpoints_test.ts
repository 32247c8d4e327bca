import { expect } from "expect";
import { writeSafetensors } from "../../../data/safetensors/safetensors.ts";
import { parseWeights } from "../../../jobs/artifacts/readCheckpoint.ts";
import { PRESETS } from "../../../model/presets.ts";

Deno.test("a file whose metadata hold no config as JSON object is refused as what it is", () => {
  for (const config of ["{", "", "null", "[]", "7", '"mnist"']) {
    const bytes = writeSafetensors(new Map(), { config });
    expect(() => parseWeights(bytes, PRESETS.mnist, { model: "mae" })).toThrow(
      expect.objectContaining({ name: "WeightsError" }),
    );
  }
});
