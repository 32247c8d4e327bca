import { expect } from "expect";
import { completeConfig, type MaeConfig } from "../../../model/config.ts";
import { wireConfig } from "../../../model/formats/wireConfig.ts";
import { planImport } from "../../../model/formats/planImport.ts";
import {
  converted,
  fileIn,
  largestDifference,
  renamed,
  requestOf,
  SMALL,
  type WeightsFile,
} from "./files.ts";

/** The names of a file of transformers in the memory of version 5. */
const inMemory = (name: string) =>
  name.replace("encoder.layer.", "layers.")
    .replace("attention.attention.query", "attention.q_proj")
    .replace("attention.attention.key", "attention.k_proj")
    .replace("attention.attention.value", "attention.v_proj")
    .replace("attention.output.dense", "attention.o_proj")
    .replace("intermediate.dense", "mlp.fc1")
    .replace(/(?<!attention\.)output\.dense/, "mlp.fc2");

const heads = { num_heads: 2, decoder_num_heads: 4 };
const encoder = { model: "encoder" } as const, classifier = { model: "classifier", classes: 3 } as const;
const huggingFace = fileIn("huggingface"), meta = { ...fileIn("meta"), config: heads };
const onlyHeads = { num_heads: 2 };

const FILES: readonly (readonly [title: string, file: WeightsFile, like: WeightsFile])[] = [
  ["in the memory of transformers 5", renamed(huggingFace, inMemory), huggingFace],
  [
    "that transformers 5 saves",
    renamed(huggingFace, (name) => name.replace("decoder_layers.", "decoder_encoder.layer.")),
    huggingFace,
  ],
  ["without vit.", renamed(huggingFace, (name) => name.replace(/^vit\./, "")), huggingFace],
  [
    "in memory, without vit.",
    renamed(huggingFace, (name) => inMemory(name).replace(/^vit\./, "")),
    huggingFace,
  ],
  ["of ViTMAEModel", fileIn("huggingface", encoder), fileIn("huggingface", encoder)],
  ["after module.", renamed(huggingFace, (name) => `module.${name}`), huggingFace],
  ["after module._orig_mod.", renamed(huggingFace, (name) => `module._orig_mod.${name}`), huggingFace],
  [
    "of compiled and checkpointed blocks",
    renamed(
      meta,
      (name) => name.replace(/blocks\.(\d+)\./, "blocks.$1._orig_mod._checkpoint_wrapped_module."),
    ),
    meta,
  ],
  ["of Meta after model.", renamed(meta, (name) => `model.${name}`), meta],
  ["of Meta after module.model.", renamed(meta, (name) => `module.model.${name}`), meta],
  [
    "of Meta's encoder after encoder.",
    renamed({ ...fileIn("meta", encoder), config: onlyHeads }, (name) => `encoder.${name}`),
    { ...fileIn("meta", encoder), config: onlyHeads },
  ],
  [
    "of our encoder after model.",
    renamed(fileIn("unmask", encoder), (name) => `model.${name}`),
    fileIn("unmask", encoder),
  ],
];

for (const [title, file, like] of FILES) {
  Deno.test(`names ${title} are recognised`, async () => {
    const plan = await planImport(requestOf(file)), expected = await planImport(requestOf(like));
    expect(plan.config).toEqual(expected.config);
    expect(plan.architecture).toEqual(expected.architecture);
    expect(largestDifference(converted(plan, file.weights), converted(expected, like.weights))).toBe(0);
  });
}

Deno.test("sizes of Meta's models come from shapes, heads from the published widths", async () => {
  const config: MaeConfig = {
    ...SMALL,
    embedDim: 192,
    numHeads: 3,
    decoderEmbedDim: 512,
    decoderNumHeads: 16,
  };
  const plan = await planImport(requestOf({ ...fileIn("meta", { model: "mae" }, config), config: null }));
  expect(plan.config).toEqual({ ...config, maskRatio: 0.75 });
  expect(plan.architecture).toEqual({ model: "mae" });
  expect(plan.notes).toEqual([
    "Assumed, because the files do not contain it: num_heads 3, decoder_num_heads 16, layer_norm_eps 0.000001, " +
    "normalize imagenet, pool mean, mask_ratio 0.75, norm_pix_loss false",
  ]);
});

Deno.test("a fine-tuned model of Meta has its head and the norm after the pooling", async () => {
  const config = { ...SMALL, fcNorm: true };
  const file = fileIn("meta", classifier, config);
  const plan = await planImport(requestOf({ ...file, config: onlyHeads }));
  expect(plan.architecture).toEqual(classifier);
  expect([plan.config.fcNorm, plan.config.pool, plan.missing]).toEqual([true, "mean", ["decoder"]]);
  expect(plan.tensors.map(({ name }) => name)).toContain("fc_norm.weight");
  expect(plan.tensors.map(({ name }) => name)).not.toContain("encoder.norm.weight");
  const token = await planImport(
    requestOf({ ...fileIn("meta", classifier, { ...SMALL, pool: "cls" }), config: onlyHeads }),
  );
  expect([token.config.fcNorm, token.config.pool]).toEqual([false, "cls"]);
});

Deno.test("our own files are imported with their metadata, with or without position tables", async () => {
  for (const architecture of [{ model: "mae" }, encoder, classifier] as const) {
    const { weights, config } = fileIn("unmask", architecture);
    const { model: _, classes: __, class_names: ___, ...fields } = config!;
    const metadata = {
      model: architecture.model,
      config: JSON.stringify(fields),
      ...(architecture.model === "classifier" ? { class_names: '["a","b","c"]' } : {}),
    };
    const all = await planImport(requestOf({ weights, config: null, metadata }));
    expect([all.format, all.config, all.architecture]).toEqual(["unmask", SMALL, architecture]);
    expect(all.notes).toEqual([]);
    expect(all.classNames).toEqual(architecture.model === "classifier" ? ["a", "b", "c"] : null);
    const withoutTables = new Map([...weights].filter(([name]) => !name.endsWith(".pe")));
    const some = await planImport(requestOf({ weights: withoutTables, config: null, metadata }));
    expect(some.config).toEqual(SMALL);
    expect(largestDifference(converted(some, withoutTables), converted(all, weights))).toBe(0);
  }
});

Deno.test("rounded tables of 16 bits are the positions that a file names, and else stored ones", async () => {
  for (const format of ["unmask", "meta"] as const) {
    const { weights, config } = fileIn(format);
    const rounded = new Map(
      [...weights].map((
        [name, { shape, data }],
      ) => [name, { shape, data: new Float32Array(new Float16Array(data)) }]),
    );
    const request = requestOf({ weights: rounded, config });
    const tensors = new Map([...request.tensors].map(([name, { shape }]) => [name, { dtype: "F16", shape }]));
    expect((await planImport({ ...request, tensors })).config.positions).toBe("sincos_2d");
    expect((await planImport({ ...request, tensors, config: heads })).config.positions).toBe("stored");
  }
});

Deno.test("positions are those that a file names where several kinds are the same", async () => {
  const config = { ...SMALL, imageSize: 4, embedDim: 4, numHeads: 2, clsToken: false };
  for (const positions of ["sincos_1d", "sincos_2d"] as const) {
    const file = fileIn("unmask", encoder, { ...config, positions });
    expect((await planImport(requestOf(file))).config.positions).toBe(positions);
  }
});

Deno.test("a named normalisation has the channels of the tensors", async () => {
  for (const format of ["unmask", "meta"] as const) {
    const file = fileIn(format, encoder, { ...SMALL, inChannels: 1, normalize: null });
    const plan = await planImport(requestOf({ ...file, config: { ...onlyHeads, normalize: "half" } }));
    expect(plan.config.normalize).toEqual({ mean: [0.5], std: [0.5] });
  }
});

Deno.test("the tutorial's state_dict without metadata is imported with the tutorial's values", async () => {
  const tutorial = completeConfig({});
  const { weights } = fileIn("unmask", { model: "mae" }, tutorial);
  const plan = await planImport(requestOf({ weights, config: null }));
  expect(plan.config).toEqual(tutorial);
  expect(plan.notes).toEqual([
    "Assumed, because the files do not contain it: num_heads 4, decoder_num_heads 4, layer_norm_eps 0.00001, " +
    "normalize none, mask_ratio 0.75, norm_pix_loss false",
  ]);
  const config = { ...tutorial, numHeads: 8, maskRatio: 0.6, dropout: 0.1 };
  const { positions: _, ...fields } = wireConfig(config);
  const given = await planImport(requestOf({ weights, config: fields }));
  expect(given.config).toEqual(config);
  expect(given.notes).toEqual([]);
});

Deno.test("a table that is not sine and cosine is kept as stored positions", async () => {
  const file = fileIn("huggingface"), plan = await planImport(requestOf(file));
  expect(plan.config.positions).toBe("sincos_2d");
  const name = "vit.embeddings.position_embeddings", { shape, data } = file.weights.get(name)!;
  const changed = Float32Array.from(data);
  changed[40] += 1e-3;
  const weights = new Map([...file.weights, [name, { shape, data: changed }]]);
  const stored = await planImport(requestOf({ ...file, weights }));
  expect(stored.config.positions).toBe("stored");
  expect(stored.tensors.map(({ name }) => name)).toEqual(
    expect.arrayContaining(["encoder.pos_embed.pe", "decoder.decoder_pos_embed.pe"]),
  );
  expect(converted(stored, weights).get("encoder.pos_embed.pe")!.data).toEqual(changed);
});
