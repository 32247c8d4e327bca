import { expect } from "expect";
import { checkedWeights } from "./checkedWeights.ts";
import { PRESETS } from "../../model/presets.ts";
import type { MaeConfig } from "../../model/config.ts";
import { sizeOf } from "../../model/shape.ts";
import {
  type Architecture,
  bufferShapes,
  bufferTensors,
  type HostTensor,
  initialWeights,
  parameterSpecs,
} from "../../model/weights.ts";
import { config, weights } from "./smallModel.ts";

Deno.test("initial weights have PyTorch's distributions and depend on the seed alone", () => {
  const specs = parameterSpecs(PRESETS.mnist, { model: "classifier", classes: 10 });
  const weights = initialWeights(specs, 3);
  const moments = (name: string) => {
    const { data } = weights.get(name)!;
    const mean = data.reduce((a, b) => a + b) / data.length;
    const variance = data.reduce((a, b) => a + (b - mean) ** 2, 0) / data.length;
    return { mean, deviation: Math.sqrt(variance), max: data.reduce((a, b) => Math.max(a, Math.abs(b)), 0) };
  };
  // Uniform in ±bound has deviation bound / √3.
  for (
    const [name, bound] of [
      ["encoder.blocks.0.mlp.0.weight", 1 / Math.sqrt(64)],
      ["encoder.blocks.0.attn.in_proj_weight", Math.sqrt(6 / (64 + 192))],
      ["encoder.patch_embed.projection.1.weight", 1 / 4],
      ["head.weight", 1 / Math.sqrt(64)],
    ] as const
  ) {
    const { mean, deviation, max } = moments(name);
    expect(max).toBeLessThanOrEqual(bound);
    expect(Math.abs(deviation / (bound / Math.sqrt(3)) - 1)).toBeLessThan(0.05);
    expect(Math.abs(mean)).toBeLessThan(bound * 0.1);
  }
  expect(moments("encoder.blocks.0.norm1.weight")).toEqual({ mean: 1, deviation: 0, max: 1 });
  expect(moments("encoder.blocks.0.attn.in_proj_bias").max).toBe(0);
  expect(moments("encoder.blocks.0.attn.out_proj.bias").max).toBe(0);
  expect(initialWeights(specs, 3)).toEqual(weights);
  expect(initialWeights(specs, 4).get("head.weight")).not.toEqual(weights.get("head.weight"));
});

Deno.test("the check of weights refuses tensors that are not the model's and names one", () => {
  const architecture = { model: "mae" } as const;
  const all = () => new Map<string, HostTensor>([...bufferTensors(config, architecture), ...weights]);
  expect([...checkedWeights(all(), config, architecture).keys()]).toEqual([...weights.keys()]);
  const table: [what: string, change: (map: Map<string, HostTensor>) => void, message: RegExp][] = [
    ["missing", (map) => map.delete("encoder.norm.bias"), /missing.*encoder\.norm\.bias/],
    ["extra", (map) => map.set("encoder.extra", map.get("encoder.norm.bias")!), /encoder\.extra/],
    ["a prototype's name", (map) => map.set("__proto__", map.get("encoder.norm.bias")!), /__proto__/],
    [
      "another shape",
      (map) => map.set("encoder.norm.bias", { shape: [4], data: new Float32Array(4) }),
      /\[4\].*\[8\]/,
    ],
    [
      "NaN",
      (map) => map.set("encoder.norm.bias", { shape: [8], data: new Float32Array(8).fill(NaN) }),
      /NaN/,
    ],
    ["another table", (map) => {
      const pe = map.get("encoder.pos_embed.pe")!;
      map.set("encoder.pos_embed.pe", { ...pe, data: pe.data.map((value) => value + 0.01) });
    }, /pos_embed\.pe.*sine/],
  ];
  for (const [, change, message] of table) {
    const map = all();
    change(map);
    expect(() => checkedWeights(map, config, architecture)).toThrow(message);
  }
});

Deno.test("the check of weights requires and returns stored position tables, with any finite values", () => {
  const stored: MaeConfig = { ...config, positions: "stored", clsToken: true };
  for (const architecture of [{ model: "mae" }, { model: "encoder" }] as const) {
    const tables = [...bufferShapes(stored, architecture)].map(([name, shape]) =>
      [name, { shape, data: new Float32Array(sizeOf(shape)).fill(0.5) }] as const
    );
    const file = new Map<string, HostTensor>([
      ...tables,
      ...initialWeights(parameterSpecs(stored, architecture), 0),
    ]);
    const [[table]] = tables, checked = checkedWeights(file, stored, architecture);
    expect(new Set(checked.keys())).toEqual(new Set(file.keys()));
    expect(checked.get(table)).toBe(file.get(table));
    const without = new Map([...file].filter(([name]) => name !== table));
    expect(() => checkedWeights(without, stored, architecture)).toThrow(
      /missing, first 'encoder.pos_embed.pe'/,
    );
    const { shape, data } = file.get(table)!;
    const broken = new Map(file).set(table, { shape, data: data.map(() => Infinity) });
    expect(() => checkedWeights(broken, stored, architecture)).toThrow(
      /pos_embed.pe' contains NaN or infinity/,
    );
  }
});

Deno.test("an encoder has no decoder and no head, and a classifier with fc_norm no last norm", () => {
  const names = (architecture: Architecture) =>
    parameterSpecs({ ...config, clsToken: true, fcNorm: true }, architecture).map(({ name }) => name);
  const encoder = names({ model: "encoder" }), classifier = names({ model: "classifier", classes: 2 });
  expect(encoder.every((name) => name.startsWith("encoder."))).toBe(true);
  expect(encoder.slice(-2)).toEqual(["encoder.norm.weight", "encoder.norm.bias"]);
  expect(classifier).toEqual([
    ...encoder.slice(0, -2),
    ...["fc_norm.weight", "fc_norm.bias", "head.weight", "head.bias"],
  ]);
});
