import { expect } from "expect";
import type { ModelShape } from "../../../model/adapt/adaptTables.ts";
import { adaptationNotes, adaptWeights } from "../../../model/adapt/adaptWeights.ts";
import { completeConfig } from "../../../model/config.ts";
import {
  type Architecture,
  bufferTensors,
  collectTensors,
  initialWeights,
  parameterSpecs,
  type TensorStream,
} from "../../../model/weights.ts";

const CONFIG = completeConfig({ patchSize: 7, embedDim: 8, depth: 1, numHeads: 2, decoderEmbedDim: 8 });
const MAE: Architecture = { model: "mae" }, ENCODER: Architecture = { model: "encoder" };
const TEN: Architecture = { model: "classifier", classes: 10 };

/** A source with weights that no initialisation has. */
function sourceOf(architecture: Architecture, fields = {}) {
  const config = { ...CONFIG, ...fields };
  const weights = new Map(
    initialWeights(parameterSpecs(config, architecture), 5).entries()
      .map(([name, { shape, data }]) => [name, { shape, data: data.map((value) => value + 2) }] as const),
  );
  return { config, architecture, weights };
}

async function adapt(
  source: ReturnType<typeof sourceOf>,
  architecture: Architecture,
  fields = {},
  labels?: Uint16Array,
) {
  const target: ModelShape = { config: { ...source.config, ...fields }, architecture };
  const adapted = await collectTensors(adaptWeights(source, target, { seed: 3, labels }));
  const specs = parameterSpecs(target.config, architecture);
  expect([...adapted].map(([name, { shape, data }]) => [name, shape, data.length])).toEqual(
    specs.map(({ name, shape }) => [name, shape, shape.reduce((a, b) => a * b)]),
  );
  const fresh = initialWeights(specs, 3);
  const same = (name: string, other?: { data: Float32Array }) =>
    String(adapted.get(name)!.data) === String(other?.data);
  return {
    adapted,
    fresh: specs.filter(({ name }) => same(name, fresh.get(name))).map(({ name }) => name),
    copied: specs.filter(({ name }) => same(name, source.weights.get(name))).map(({ name }) => name),
    notes: adaptationNotes(source, target, labels !== undefined),
  };
}

Deno.test("a continued pre-training begins with all parameters of the checkpoint", async () => {
  const { fresh, copied, notes } = await adapt(sourceOf(MAE), MAE);
  expect([fresh, copied.length, notes]).toEqual([[], parameterSpecs(CONFIG, MAE).length, []]);
});

Deno.test("an encoder gets a new decoder, of any size", async () => {
  const fields = { decoderEmbedDim: 16, decoderDepth: 3 };
  const { fresh, copied, notes } = await adapt(sourceOf(ENCODER), MAE, fields);
  expect(copied).toEqual(parameterSpecs(CONFIG, ENCODER).map(({ name }) => name));
  expect(fresh.every((name) => name.startsWith("decoder."))).toBe(true);
  expect(notes).toEqual(["The decoder is new, because the checkpoint has none"]);
});

Deno.test("a classifier with fc_norm has a new layer norm after the pooling, as Meta's has", async () => {
  const { adapted, fresh, notes } = await adapt(sourceOf(MAE), TEN, { fcNorm: true });
  expect(fresh.sort()).toEqual(["fc_norm.bias", "fc_norm.weight", "head.bias", "head.weight"]);
  expect(adapted.has("encoder.norm.weight")).toBe(false);
  expect([...adapted.get("fc_norm.weight")!.data]).toEqual(Array(8).fill(1));
  expect(notes).toEqual(["The layer norm after the pooling is new (weight 1, bias 0)"]);
});

Deno.test("a classifier without its fc_norm has a new last layer norm of the encoder", async () => {
  const { adapted, notes } = await adapt(sourceOf(TEN, { fcNorm: true }), TEN, { fcNorm: false });
  expect([...adapted.get("encoder.norm.weight")!.data]).toEqual(Array(8).fill(1));
  expect(notes[0]).toBe("The encoder's last layer norm is new (weight 1, bias 0)");
});

Deno.test("the head of a classifier is kept by class, or replaced", async () => {
  const source = sourceOf(TEN);
  const { adapted, notes } = await adapt(
    source,
    { model: "classifier", classes: 3 },
    {},
    Uint16Array.of(9, 0, 4),
  );
  const { data: head } = source.weights.get("head.weight")!,
    { data: bias } = source.weights.get("head.bias")!;
  const row = (label: number) => [...head.subarray(8 * label, 8 * label + 8)];
  expect([...adapted.get("head.weight")!.data]).toEqual([9, 0, 4].flatMap(row));
  expect([...adapted.get("head.bias")!.data]).toEqual([bias[9], bias[0], bias[4]]);
  expect(notes[0]).toMatch(/head is that of the checkpoint/);
  const replaced = await adapt(source, { model: "classifier", classes: 3 });
  expect(replaced.fresh).toEqual(["head.weight", "head.bias"]);
  expect(replaced.notes[0]).toMatch(/head is new/);
});

Deno.test("other images are described in full", async () => {
  const { notes, fresh } = await adapt(sourceOf(MAE), MAE, {
    imageSize: 42,
    inChannels: 3,
    normPixLoss: true,
  });
  expect(fresh).toEqual([]);
  expect(notes).toEqual([
    "The positions are interpolated from 4 x 4 to 6 x 6 patches",
    "The patch embedding is converted from 1 to 3 channels",
    "The decoder of the checkpoint predicts pixels, and learns to predict normalised patches",
  ]);
});

Deno.test("the order of the tensors in a file does not matter", async () => {
  const { config, architecture, weights } = sourceOf(MAE, { clsToken: true });
  const stored = { ...config, positions: "stored" } as const;
  const tensors = [...bufferTensors(config, architecture), ...weights];
  const target = { config: { ...stored, imageSize: 42, inChannels: 3 }, architecture };
  const adapted = (weights: TensorStream) =>
    collectTensors(adaptWeights({ config: stored, architecture, weights }, target, { seed: 3 }));
  const expected = await adapted(tensors);
  expect(expected.size).toBe(tensors.length);
  expect(await adapted(tensors.toReversed())).toEqual(expected);
});
