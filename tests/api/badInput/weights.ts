/**
 * Imports of weights (groups 41 to 66): the files of a form, JSON files beside the weights, tensors of another model,
 * and values that are not finite. Every rule of the safetensors format has a row.
 *
 * @module
 */
import type { Tensor } from "../../../data/safetensors/safetensors.ts";
import { REFUSED } from "../../data/safetensors/refused.ts";
import { zipOf } from "../../setup/zip.ts";
import type { NamedFile, TestApi } from "../fixtures.ts";
import { jsonFile, shards, tinyUpload, tinyWeights, weightsFile, type WeightsParts } from "../importFiles.ts";
import { bytes, type Row } from "./row.ts";

type Files = Parameters<TestApi["importWeights"]>[0];

/** Creates a row for an invalid import. @param path the field that is rejected */
function row(
  group: number,
  title: string,
  files: Files,
  path: string,
  pattern?: RegExp,
  { fields = {}, status = 422 }: { fields?: Record<string, string>; status?: number } = {},
): Row {
  return {
    group,
    title: `weights: ${title}`,
    send: (api) => api.importWeights(files, fields),
    status,
    path,
    pattern,
  };
}

/** Creates a row for weights that the tiny model of Hugging Face is changed to. */
function changed(
  group: number,
  title: string,
  change: (parts: WeightsParts) => unknown,
  path: string,
  pattern: RegExp,
): Row {
  const parts = tinyWeights();
  change(parts);
  return row(group, title, tinyUpload(parts), path, pattern);
}

/** Creates a row for a file of weights with other bytes. */
const other = (
  group: number,
  title: string,
  content: Uint8Array<ArrayBuffer>,
  pattern: RegExp,
  name = "w.bin",
) => row(group, title, { weights: { name, content } }, "weights", pattern);

/** Creates a row for another `config.json`. */
const config = (group: number, title: string, value: unknown, pattern: RegExp) =>
  row(
    group,
    `config.json ${title}`,
    { ...tinyUpload(), config: jsonFile("config.json", value) },
    "config",
    pattern,
  );

const text = (value: string) => new TextEncoder().encode(value);
const tiny = tinyWeights(), good = weightsFile(tiny.tensors).content;
const hugging = { ...tiny.config };
const NORM = "vit.layernorm.weight";

/** Creates a row for the values of a tensor. */
const values = (title: string, tensor: Tensor): Row =>
  changed(
    60,
    title,
    ({ tensors }) => tensors.set(NORM, tensor),
    "weights",
    /'vit\.layernorm\.weight' of 'model\.safetensors' must be finite: value 3/,
  );

const at3 = <T extends Float32Array | Float64Array | Uint16Array>(data: T, value: number): T => {
  data[3] = value;
  return data;
};

const FORMAT: readonly Row[] = Object.entries(REFUSED).map(([title, [content, pattern]]) =>
  other(56, title, content, content.length === 0 ? /is empty/ : pattern, "model.safetensors")
);

const SIGNATURES: readonly Row[] = [
  other(41, "an empty file", bytes(), /'w\.bin' is empty/),
  other(
    64,
    "a pickle of torch.save",
    zipOf([{ name: "archive/data.pkl", bytes: bytes(0x80, 2) }]),
    /pickle.*\nimport torch; from safetensors.torch import save_file\nstate = torch.load\(.*weights_only=True\)\nsave_file/,
    "mae.pth",
  ),
  other(64, "a pickle by the name of safetensors", bytes(0x80, 2, 0x8a, 10), /pickle/, "model.safetensors"),
  other(64, "an archive of NumPy", zipOf([{ name: "arr_0.npy", bytes: bytes(1) }]), /\.npz/),
  other(64, "an array of NumPy", bytes(0x93, ...text("NUMPY")), /NumPy array/),
  other(44, "a zip", zipOf([{ name: "model.safetensors", bytes: good }]), /zip archive: unpack it/),
  other(64, "GGUF", text("GGUF\x03\0\0\0"), /GGUF/),
  other(64, "ONNX", bytes(8, 7, 18, 7, 112, 121, 116, 111, 114), /ONNX/, "model.onnx"),
  other(64, "HDF5", bytes(0x89, ...text("HDF\r\n\x1a\n")), /HDF5/, "model.h5"),
  other(64, "TensorFlow Lite", text("\x1c\0\0\0TFL3"), /TensorFlow Lite/),
  other(51, "gzip", bytes(0x1f, 0x8b, 8, 0), /gzip/),
  other(64, "a pointer of Git LFS", text("version https://git-lfs.github.com/spec/v1\n"), /Git LFS/),
  other(44, "a web page", text("<!doctype html><title>Not found"), /web page/),
  other(44, "JSON", text('{"model_type":"vit_mae"}'), /is JSON, not the weights/),
  other(65, "a byte less", good.slice(0, -1), /truncated/),
  other(65, "a byte more", bytes(...good, 0), /more data follows/),
  other(65, "the header alone", good.slice(0, 8), /exceeds the file/),
];

const TENSORS: readonly Row[] = [
  changed(
    57,
    "a tensor of another shape",
    ({ tensors }) => tensors.set(NORM, { dtype: "F32", shape: [17], data: new Float32Array(17) }),
    "weights",
    /'vit\.layernorm\.weight' has \[17\] and must have \[16\]/,
  ),
  changed(58, "a missing tensor", ({ tensors }) => tensors.delete(NORM), "weights", /1 tensor is missing/),
  changed(
    58,
    "a surplus tensor",
    ({ tensors }) => tensors.set("vit.extra.weight", { dtype: "F32", shape: [1], data: new Float32Array(1) }),
    "weights",
    /vit\.extra\.weight/,
  ),
  changed(
    62,
    "a tensor named __proto__",
    ({ tensors }) => tensors.set("__proto__", { dtype: "F32", shape: [1], data: new Float32Array(1) }),
    "weights",
    /__proto__/,
  ),
  changed(
    58,
    "a renamed tensor",
    ({ tensors }) => {
      tensors.set("vit.layernorm.gain", tensors.get(NORM)!);
      tensors.delete(NORM);
    },
    "weights",
    /vit\.layernorm\.(gain|weight)/,
  ),
  row(
    58,
    "tensors of another model",
    {
      weights: weightsFile(
        new Map([["conv1.weight", { dtype: "F32", shape: [1], data: new Float32Array(1) }]]),
      ),
    },
    "weights",
    /conv1\.weight/,
  ),
  row(58, "no tensor", { weights: weightsFile(new Map()) }, "weights", /no tensors/),
  ...(["I8", "BOOL", "F8_E4M3"] as const).map((dtype) =>
    changed(
      59,
      `${dtype} in place of F32`,
      ({ tensors }) => {
        const data = dtype === "I8" ? new Int8Array(16) : new Uint8Array(16);
        tensors.set(NORM, { dtype, shape: [16], data } as Tensor);
      },
      "weights",
      new RegExp(`'vit\\.layernorm\\.weight' has ${dtype}`),
    )
  ),
  values("NaN", { dtype: "F32", shape: [16], data: at3(new Float32Array(16), NaN) }),
  values("infinity", { dtype: "F32", shape: [16], data: at3(new Float32Array(16), -Infinity) }),
  values("NaN in F16", { dtype: "F16", shape: [16], data: at3(new Uint16Array(16), 0x7e00) }),
  values("infinity in BF16", { dtype: "BF16", shape: [16], data: at3(new Uint16Array(16), 0xff80) }),
  values("F64 beyond F32", { dtype: "F64", shape: [16], data: at3(new Float64Array(16), 1e300) }),
  changed(
    60,
    "NaN in a position table",
    ({ tensors }) => {
      const { shape, data } = tensors.get("vit.embeddings.position_embeddings")!;
      const copy = Float32Array.from(data as Float32Array);
      copy[7] = NaN;
      tensors.set("vit.embeddings.position_embeddings", { dtype: "F32", shape, data: copy });
    },
    "weights",
    /position_embeddings' of 'model\.safetensors' must be finite: value 7/,
  ),
];

const CONFIG: readonly Row[] = [
  row(66, "config.json is missing", { weights: weightsFile(tiny.tensors) }, "config", /config\.json/),
  config(66, "of BERT", { model_type: "bert", architectures: ["BertModel"] }, /bert/i),
  config(
    66,
    "of a ResNet",
    { model_type: "resnet", architectures: ["ResNetForImageClassification"] },
    /resnet/i,
  ),
  config(66, "with an unknown activation", { ...hugging, hidden_act: "swish" }, /hidden_act/),
  ...[-1, 0, 1.5, 1e9, "16", null, [16]].map((value) =>
    row(
      66,
      `config.json with hidden_size ${JSON.stringify(value)}`,
      { ...tinyUpload(), config: jsonFile("config.json", { ...hugging, hidden_size: value }) },
      value === 1e9 || value === null ? "weights" : "config",
      undefined,
    )
  ),
  row(
    66,
    "config.json with another width than the tensors",
    { ...tinyUpload(), config: jsonFile("config.json", { ...hugging, hidden_size: 32 }) },
    "weights",
    /has \[1,5,16\] and must have \[1,5,32\]/,
  ),
  config(3, "that is truncated", '{"model_type": "vit_mae"', /config\.json is not JSON/),
  config(3, "that is empty", "", /config\.json is not JSON/),
  config(3, "with NaN", '{"model_type": "vit_mae", "layer_norm_eps": NaN}', /config\.json is not JSON/),
  ...["[]", "null", '"x"', "42"].map((value) => config(2, value, value, /must be a JSON object/)),
  config(6, "nested deeply", "[".repeat(100_000), /nested deeper than/),
  config(7, "of many values", `[${"0,".repeat(300_000)}0]`, /more than 200000 values/),
  config(5, "with a key twice", '{"hidden_size": 16, "hidden_size": 32}', /given more than once/),
  config(8, "with __proto__", '{"__proto__": {"model_type": "vit_mae"}}', /not an allowed key/),
  config(9, "with a lone surrogate", '{"model_type": "\\ud800"}', /lone surrogate/),
  row(
    9,
    "config.json with a byte order mark",
    { ...tinyUpload(), config: { name: "config.json", content: bytes(0xef, 0xbb, 0xbf, 0x7b, 0x7d) } },
    "config",
    /byte order mark/,
  ),
  row(
    9,
    "config.json that is not UTF-8",
    { ...tinyUpload(), config: { name: "config.json", content: bytes(0x7b, 0xff, 0x7d) } },
    "config",
    /not valid UTF-8/,
  ),
  row(
    11,
    "config.json of 9 MiB",
    { ...tinyUpload(), config: jsonFile("config.json", " ".repeat(9 * 2 ** 20)) },
    "config",
    /at most 8388608 bytes/,
    { status: 413 },
  ),
  row(
    66,
    "preprocessor_config.json with a mean of two channels",
    {
      ...tinyUpload(),
      preprocessor_config: jsonFile("p.json", { image_mean: [0.5, 0.5], image_std: [1, 1] }),
    },
    "weights",
    /image_mean and image_std must have 3/,
  ),
  row(
    66,
    "preprocessor_config.json with text as a mean",
    { ...tinyUpload(), preprocessor_config: jsonFile("p.json", { image_mean: "0.5" }) },
    "preprocessor_config",
    /image_mean/,
  ),
  row(
    3,
    "preprocessor_config.json that is not JSON",
    { ...tinyUpload(), preprocessor_config: jsonFile("p.json", "{") },
    "preprocessor_config",
    /not JSON/,
  ),
];

const { files: SHARDS, map: WEIGHT_MAP } = shards(tiny.tensors);
const configFile = jsonFile("config.json", tiny.config);
const [FIRST] = Object.keys(WEIGHT_MAP);

/** Creates a row for an index of the sharded model. */
function index(
  title: string,
  value: unknown,
  pattern: RegExp,
  path = "index",
  weights: NamedFile[] = SHARDS,
): Row {
  const files = { weights, config: configFile, index: jsonFile("model.safetensors.index.json", value) };
  return row(55, `an index ${title}`, files, path, pattern);
}
const mapped = (changes: Record<string, unknown>) => ({ weight_map: { ...WEIGHT_MAP, ...changes } });
const { [FIRST]: _first, ...WITHOUT_FIRST } = WEIGHT_MAP;

const SHARDED: readonly Row[] = [
  ...["../model.safetensors", "/etc/passwd", "a/b.safetensors", "..\\w", "..", "", 7].map((name) =>
    index(`that refers to ${JSON.stringify(name)}`, mapped({ [FIRST]: name }), /file in its own folder/)
  ),
  index("of a shard that is missing", mapped({}), /names the file ".*00002.*", which is missing/, "index", [
    SHARDS[0],
  ]),
  index("with a tensor in the wrong shard", mapped({ [FIRST]: SHARDS[1].name }), /does not have it/),
  index("without a tensor", { weight_map: WITHOUT_FIRST }, /lacks the tensor/),
  index("with a tensor that no shard has", mapped({ "vit.extra": SHARDS[0].name }), /does not have it/),
  index("without weight_map", {}, /weight_map/),
  index("with a list as weight_map", { weight_map: [] }, /weight_map/),
  index("that is not JSON", "{", /not JSON/),
  index("with a tensor twice", `{"weight_map":{"a":"b","a":"c"}}`, /more than once/),
  row(
    55,
    "a shard twice",
    { weights: [SHARDS[0], SHARDS[0], SHARDS[1]], config: configFile },
    "weights",
    /Two files/,
  ),
  row(
    55,
    "a tensor in two files",
    { weights: [...SHARDS, { ...SHARDS[0], name: "copy.safetensors" }], config: configFile },
    "weights",
    /both have the tensor/,
  ),
  row(55, "a shard of two", { weights: SHARDS[0], config: configFile }, "weights", /missing/),
];

const FORM: readonly Row[] = [
  row(41, "no file", {}, "weights", /curl -F weights=@model\.safetensors/, { fields: { name: "x" } }),
  row(41, "config.json alone", { config: configFile }, "weights", /safetensors/),
  row(
    18,
    "an unknown file field",
    { ...tinyUpload(), model: jsonFile("m", "x") },
    "model",
    /not a file field/,
  ),
  row(18, "an unknown text field", tinyUpload(), "color", undefined, { fields: { color: "red" } }),
  row(8, "__proto__ as a field", tinyUpload(), "__proto__", undefined, {
    fields: Object.fromEntries([["__proto__", "x"]]),
  }),
  row(
    55,
    "two files as config",
    { ...tinyUpload(), config: [configFile, configFile] },
    "config",
    /more than once/,
  ),
  row(
    54,
    "a direction mark in a file name",
    { weights: { name: "a\u202ebin", content: good } },
    "weights",
    /file name/,
  ),
  row(
    54,
    "a file name of 1,000 characters",
    { weights: { name: "a".repeat(1000), content: good } },
    "weights",
    /255/,
  ),
  row(54, "a name with a line break", tinyUpload(), "name", undefined, { fields: { name: "a\nb" } }),
  row(54, "an empty name", tinyUpload(), "name", undefined, { fields: { name: "" } }),
  row(54, "129 characters as a name", tinyUpload(), "name", /128/, { fields: { name: "x".repeat(129) } }),
  {
    group: 54,
    title: "weights: a line break in a file name",
    send: (api) =>
      api.send("/v1/checkpoints", {
        method: "POST",
        headers: { "content-type": "multipart/form-data; boundary=x" },
        body:
          '--x\r\nContent-Disposition: form-data; name="weights"; filename="a\r\nX-Evil: 1"\r\n\r\nabc\r\n--x--\r\n',
      }),
    status: 422,
    path: "weights",
  },
  {
    group: 42,
    title: "weights: a form that ends early",
    send: (api) =>
      api.send("/v1/checkpoints", {
        method: "POST",
        headers: { "content-type": "multipart/form-data; boundary=x" },
        body: '--x\r\nContent-Disposition: form-data; name="weights"; filename="a"\r\n\r\nabc',
      }),
    status: 400,
  },
  {
    group: 10,
    title: "weights: text",
    send: (api) => api.send("/v1/checkpoints", { method: "POST", body: "x" }),
    status: 415,
    pattern: /multipart/,
  },
  {
    group: 72,
    title: "weights: an idempotency key of spaces",
    send: (api) => api.importWeights(tinyUpload(), {}, { "idempotency-key": "a b" }),
    status: 400,
  },
];

/** Imports of weights. */
export const WEIGHTS: readonly Row[] = [
  ...FORMAT,
  ...SIGNATURES,
  ...TENSORS,
  ...CONFIG,
  ...SHARDED,
  ...FORM,
];
