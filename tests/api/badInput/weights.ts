/**
 * Imports of weights (groups 41 to 66): the files of a form, JSON files beside the weights, tensors of another model,
 * and values that are not finite. Every rule of the safetensors format has a row.
 *
 * @module
 */
import type { Tensor } from "../../../data/safetensors/safetensors.ts";
import { REFUSED } from "../../data/safetensors/refused.ts";
import { zipOf } from "../../setup/zip.ts";
import { jsonFile, tinyUpload, tinyWeights, weightsFile, type WeightsParts } from "../importFiles.ts";
import { bytes, type Row } from "./row.ts";
import { CONFIG, SHARDED } from "./weightsJson.ts";
import { row } from "./weightsRow.ts";

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

const text = (value: string) => new TextEncoder().encode(value);
const tiny = tinyWeights(), good = weightsFile(tiny.tensors).content;
const configFile = jsonFile("config.json", tiny.config);
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
    /pickle.*\nimport torch; from safetensors.torch import save_file\nstate = torch.load\(.*weights_only=True\)\nstate = .*; save_file/,
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

/** Creates a row for the class names of the tiny model, which is an MAE. */
const names = (title: string, class_names: string, path: string, pattern?: RegExp) =>
  row(38, `class names ${title}`, tinyUpload(), path, pattern, { fields: { class_names } });

const NAMES: readonly Row[] = [
  names("that are not JSON", "cat", "class_names", /a list of names in JSON.*not JSON/),
  names("in an object", '{"0":"a"}', "class_names", /an array/),
  names("in lists", '[["a"]]', "class_names", /nested deeper than 1/),
  names("of no class", "[]", "class_names"),
  names("that are numbers", "[1,2]", "class_names.0"),
  names("that are empty", '["a",""]', "class_names.1"),
  names("with a line break", '["a","b\\n"]', "class_names.1", /one line/),
  names("of 1,001 characters", JSON.stringify(["x".repeat(1001)]), "class_names.0", /at most 1000/),
  names("of a model without classes", '["a","b"]', "class_names", /no head/),
  row(
    38,
    "class names that are fewer than the classes",
    tinyUpload(tinyWeights("unmask", { model: "classifier", classes: 3 })),
    "class_names",
    /must have 3 names, one for each row of the head: it has 2/,
    { fields: { class_names: '["a","b"]' } },
  ),
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
  ...NAMES,
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
    pattern: /multipart\/form-data for an upload, or application\/json/,
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
