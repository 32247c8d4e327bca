import { expect } from "expect";
import { completeConfig, type MaeConfig } from "../../../model/config.ts";
import { FormatError, type WeightsFormat } from "../../../model/formats/format.ts";
import { planExport } from "../../../model/formats/planExport.ts";
import { planImport } from "../../../model/formats/planImport.ts";
import type { Architecture } from "../../../model/weights.ts";
import { fileIn, requestOf, SMALL, type WeightsFile } from "./files.ts";

const encoder = { model: "encoder" } as const, classifier = { model: "classifier", classes: 3 } as const;
const huggingFace = fileIn("huggingface"), meta = fileIn("meta", encoder), timm = fileIn("timm", classifier);
const own = fileIn("unmask");

/** Returns a file with other fields in its `config.json`. */
const withConfig = (file: WeightsFile, fields: Record<string, unknown>): WeightsFile => ({
  ...file,
  config: { ...file.config, ...fields },
});

/** Returns a file with more tensors, and without some. */
function withTensors(
  file: WeightsFile,
  added: Record<string, number[]>,
  removed: RegExp = /^$/,
): WeightsFile {
  const weights = new Map([...file.weights].filter(([name]) => !removed.test(name)));
  for (const [name, shape] of Object.entries(added)) {
    weights.set(name, { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) });
  }
  return { ...file, weights };
}

const withModelArgs = (args: Record<string, unknown>) =>
  withConfig(timm, { model_args: { ...timm.config!.model_args as Record<string, unknown>, ...args } });

const IMPORTS: readonly (readonly [title: string, file: WeightsFile, message: RegExp])[] = [
  // Hugging Face
  ["no config.json", { ...huggingFace, config: null }, /Hugging Face.*config\.json is missing/],
  [
    "another model type",
    withConfig(huggingFace, { model_type: "bert" }),
    /model_type must be vit_mae or vit: .*"bert"/,
  ],
  [
    "SimMIM",
    withConfig(huggingFace, { model_type: "vit" }),
    /model_type vit, and the file a decoder.*SimMIM/,
  ],
  ["another activation", withConfig(huggingFace, { hidden_act: "relu" }), /hidden_act must be gelu.*"relu"/],
  [
    "images that are not square",
    withConfig(huggingFace, { image_size: [8, 16] }),
    /image_size must be a square.*\[8,16\]/,
  ],
  [
    "patches that are not square",
    withConfig(huggingFace, { patch_size: [4, 2] }),
    /patch_size must be a square/,
  ],
  ["two channels", withConfig(huggingFace, { num_channels: 2 }), /num_channels must be 1 or 3.*2/],
  ["text for a number", withConfig(huggingFace, { hidden_size: "16" }), /hidden_size must be a whole number/],
  [
    "huge sizes",
    withConfig(huggingFace, { num_hidden_layers: 1e9 }),
    /num_hidden_layers must be a whole number from 1 to 64/,
  ],
  [
    "heads that do not divide the width",
    withConfig(huggingFace, { num_attention_heads: 3 }),
    /num_attention_heads must be a divisor of hidden_size, which is 16/,
  ],
  [
    "wider heads",
    withConfig(huggingFace, { head_dim: 32 }),
    /head_dim must be hidden_size \/ num_attention_heads, 8/,
  ],
  ["quantized weights", withConfig(huggingFace, { quantization_config: { bits: 8 } }), /quantization_config/],
  [
    "another hidden width",
    withConfig(huggingFace, { intermediate_size: 64 }),
    /6 tensors have a wrong shape: 'vit\.encoder\.layer\.0\.intermediate\.dense\.weight' has \[32,16\] and must have \[64,16\]/,
  ],
  [
    "too few layers",
    withConfig(huggingFace, { num_hidden_layers: 3 }),
    /not those of a ViTMAEForPreTraining of transformers with 3 \+ 1 layers\. 16 tensors are missing: 'vit\.encoder\.layer\.2\./,
  ],
  [
    "too many layers",
    withConfig(huggingFace, { num_hidden_layers: 1 }),
    /16 tensors do not belong to the model: 'vit\.encoder\.layer\.1\./,
  ],
  [
    "biases without qkv_bias",
    withConfig(huggingFace, { qkv_bias: false }),
    /9 tensors do not belong to the model: .*query\.bias/,
  ],
  [
    "a missing tensor",
    withTensors(huggingFace, {}, /mask_token/),
    /1 tensor is missing: 'decoder\.mask_token'/,
  ],
  [
    "a decoder and a classifier",
    withTensors(huggingFace, { "classifier.weight": [3, 16], "classifier.bias": [3] }),
    /a decoder and a classifier/,
  ],
  [
    "one tensor by two names",
    withTensors(huggingFace, { "layernorm.weight": [16] }),
    /'vit\.layernorm\.weight' and 'layernorm\.weight' are the same one/,
  ],
  [
    "names for other classes",
    withConfig(fileIn("huggingface", classifier, { ...SMALL, pool: "cls" }), {
      id2label: { 0: "a", 1: "b" },
    }),
    /^config\.json names 2 classes, and the head has 3/,
  ],
  [
    "a class name that is too long",
    withConfig(fileIn("huggingface", classifier, { ...SMALL, pool: "cls" }), {
      id2label: { 0: "a", 1: "b".repeat(1001), 2: "c" },
    }),
    /^config\.json: the name of class 1 has 1001 characters: it must have at most 1000/,
  ],
  [
    "a mask ratio that keeps nothing",
    withConfig(huggingFace, { mask_ratio: 0.9 }),
    /mask_ratio keeps no patch of 4/,
  ],
  [
    "another normalisation",
    { ...huggingFace, preprocessor: { image_mean: [0.5], image_std: [0.5] } },
    /image_mean and image_std must have 3 means/,
  ],
  // Meta
  ["unknown heads", { ...meta, config: null }, /no published model has embed_dim 16.*\{"num_heads": 8\}/],
  [
    "a table of positions that is not square",
    withTensors(meta, { pos_embed: [1, 7, 16] }),
    /'pos_embed' has 7 positions, .*only square images/,
  ],
  ["no table of positions", withTensors(meta, {}, /pos_embed/), /'pos_embed' is missing.*absolute positions/],
  [
    "rotary positions",
    withTensors(meta, { "rope.periods": [4] }, /pos_embed/),
    /relative or rotary positions.*'rope\.periods'/,
  ],
  [
    "patches as a vector",
    withTensors(meta, { "patch_embed.proj.weight": [16, 48] }),
    /must be \[width, channels, P, P\]/,
  ],
  ["DINOv2", withTensors(meta, { mask_token: [1, 16] }), /'mask_token' and no decoder\. .*DINOv2/],
  ["layer scale", withTensors(meta, { "blocks.0.ls1.gamma": [16] }), /layer scale.*'blocks\.0\.ls1\.gamma'/],
  [
    "another width",
    withConfig(meta, { embed_dim: 32 }),
    /embed_dim is 32 in config\.json and 16 in the tensors/,
  ],
  ["an unknown field", withConfig(meta, { heads: 2 }), /config\.json has unknown fields: 'heads'/],
  [
    "another model",
    withConfig(meta, { model: "mae" }),
    /those of the model encoder, and config\.json has model 'mae'/,
  ],
  [
    "the config.json of transformers",
    { ...meta, config: { model_type: "dinov2" } },
    /another model, model_type "dinov2"/,
  ],
  // timm
  [
    "another architecture",
    withConfig(timm, { architecture: "resnet50" }),
    /architecture must be.*"resnet50"/,
  ],
  [
    "quick GELU",
    withConfig(timm, { architecture: "vit_base_patch32_clip_quickgelu_224" }),
    /architecture must be a plain Vision Transformer/,
  ],
  [
    "norms after the branches",
    withConfig(timm, { architecture: "vit_base_patch16_rpn_224" }),
    /architecture must be a plain Vision Transformer/,
  ],
  [
    "another attention",
    withModelArgs({ attn_layer: "diff" }),
    /model_args: attn_layer must be "attn"/,
  ],
  ["register tokens", withTensors(timm, { reg_token: [1, 4, 16] }), /register tokens.*'reg_token'/],
  ["a norm before the blocks", withTensors(timm, { "norm_pre.weight": [16] }), /norm_pre/],
  ["SwiGLU", withTensors(timm, { "blocks.0.mlp.w12.weight": [64, 16] }), /SwiGLU/],
  ["another pooling", withModelArgs({ global_pool: "map" }), /model_args: global_pool must be token or avg/],
  [
    "another activation",
    withModelArgs({ act_layer: "quick_gelu" }),
    /model_args: act_layer must be null or "gelu"/,
  ],
  [
    "another number of classes",
    withConfig(timm, { num_classes: 10 }),
    /config\.json: num_classes is 10, and head\.weight has 3 rows/,
  ],
  [
    "a normalisation of other channels",
    withConfig(timm, { pretrained_cfg: { mean: [0.5], std: [0.5] } }),
    /mean and std must have 3 means/,
  ],
  // ours
  [
    "another number of classes",
    withConfig(fileIn("unmask", classifier), { classes: 10 }),
    /config\.json: classes is 10, and head\.weight has 3 rows/,
  ],
  [
    "classes without a head",
    withConfig(meta, { classes: 10 }),
    /config\.json: classes is 10, and the file has no head\.weight/,
  ],
  [
    "no size of the images",
    withTensors({ ...own, config: null }, {}, /\.pe$/),
    /The size of the images is unknown.*\{"image_size": 28\}/,
  ],
  ["unknown heads", { ...own, config: null }, /number of attention heads is unknown.*num_heads/],
  [
    "another patch",
    withTensors(own, { "encoder.patch_embed.projection.1.weight": [16, 50] }),
    /patches of 50 values/,
  ],
  [
    "metadata of another model",
    { ...own, metadata: { model: "classifier" } },
    /those of the model mae, and the metadata or config\.json has model 'classifier'/,
  ],
  [
    "metadata against config.json",
    { ...withConfig(own, { num_heads: 4 }), metadata: { config: '{"num_heads":2}' } },
    /num_heads is 4 in config\.json and 2 in the metadata/,
  ],
  [
    "positions that are not the stored ones",
    withConfig(own, { positions: "sincos_1d" }),
    /positions is sincos_1d in the configuration, and 'encoder\.pos_embed\.pe' has other values: it must be sincos_2d/,
  ],
  [
    "a number as text",
    withConfig(meta, { num_heads: "2" }),
    /num_heads must be a whole number from 1 to 64: current value is "2"/,
  ],
  ["metadata that is not JSON", { ...own, metadata: { config: "{" } }, /The metadata's config is not JSON/],
  [
    "an unknown normalisation",
    withConfig(own, { normalize: "cifar" }),
    /normalize must be one of none, imagenet, half/,
  ],
  // anything
  ["no tensors", { weights: new Map(), config: null }, /no tensors/],
  [
    "BERT",
    withTensors({ weights: new Map(), config: { model_type: "bert" } }, {
      "bert.embeddings.word_embeddings.weight": [10, 4],
    }),
    /not those of a Vision Transformer.*'bert\.embeddings\.word_embeddings\.weight' \(1 in all\), and config\.json has model_type "bert"/,
  ],
];

for (const [title, file, message] of IMPORTS) {
  Deno.test(`an import is refused: ${title}, ${message.source.slice(0, 40)}`, async () => {
    const error = await planImport(requestOf(file)).catch((error) => error);
    expect([error.name, error.message]).toEqual(["WeightsError", expect.stringMatching(message)]);
  });
}

Deno.test("an import is refused: integers where floats are needed", async () => {
  const request = requestOf(huggingFace);
  const tensors = new Map([...request.tensors, ["vit.layernorm.weight", { dtype: "I64", shape: [16] }]]);
  const error = await planImport({ ...request, tensors }).catch((error) => error);
  expect(error.message).toMatch(/1 tensor has another type than F32.*'vit\.layernorm\.weight' has I64/);
});

const EXPORTS: readonly (readonly [
  title: string,
  format: WeightsFormat,
  architecture: Architecture,
  fields: Partial<MaeConfig>,
  message: RegExp,
])[] = [
  ["no class token", "huggingface", { model: "mae" }, { clsToken: false }, /class token.*format unmask/],
  ["no class token", "meta", { model: "mae" }, { clsToken: false }, /class token.*format unmask/],
  ["fc_norm", "huggingface", classifier, { fcNorm: true }, /fc_norm.*format meta or timm/],
  ["the mean of tokens", "huggingface", classifier, {}, /mean of the patch tokens.*format timm/],
  [
    "another decoder ratio",
    "meta",
    { model: "mae" },
    { decoderMlpRatio: 4 },
    /one mlp_ratio.*huggingface or unmask/,
  ],
  ["the mean without fc_norm", "meta", classifier, {}, /pool mean and fc_norm false: use the format timm/],
  [
    "another eps",
    "timm",
    encoder,
    { layerNormEps: 1e-5 },
    /layer_norm_eps 0\.00001: use the format meta or unmask/,
  ],
];

for (const [title, format, architecture, fields, message] of EXPORTS) {
  Deno.test(`an export to ${format} is refused: ${title}`, () => {
    const config = completeConfig({ ...SMALL, ...fields });
    const plan = () => planExport({ config, architecture, classNames: null, format });
    expect(plan).toThrow(FormatError);
    expect(plan).toThrow(message);
  });
}

Deno.test("an export to huggingface resizes images as we do, or describes what to do before it", () => {
  const request = {
    config: SMALL,
    architecture: { model: "mae" },
    classNames: null,
    format: "huggingface",
  } as const;
  expect(planExport({ ...request, resize: "crop" }).preprocessorJson).toMatchObject({
    size: { shortest_edge: 8 },
    do_center_crop: true,
    crop_size: { height: 8, width: 8 },
    resample: 3,
  });
  const padded = planExport({ ...request, resize: "pad", background: "white" });
  expect(padded.preprocessorJson).toMatchObject({ do_resize: false, do_center_crop: false });
  expect(padded.notes).toEqual([expect.stringMatching(/white bars of equal width.* 8 x 8 pixels/)]);
});

Deno.test("an export to timm is refused: images are padded with another colour than their mean", () => {
  const request = {
    config: SMALL,
    architecture: encoder,
    classNames: null,
    format: "timm",
    resize: "pad",
  } as const;
  for (const background of ["none", "black", "white", "#7c7469"]) {
    expect(() => planExport({ ...request, background })).toThrow(
      /the mean #7c7468.*bars of #.*use the format meta/,
    );
  }
  const { configJson } = planExport({ ...request, background: "#7C7468" });
  expect(configJson).toMatchObject({ pretrained_cfg: { crop_mode: "border" } });
  const normalize = { mean: [0, 0, 0], std: [1, 1, 1] };
  planExport({ ...request, config: { ...SMALL, normalize } }); // The mean is black.
});
