/**
 * Imports of weights with invalid JSON files: `config.json`, `preprocessor_config.json` and the index of shards.
 *
 * @module
 */
import type { NamedFile } from "../fixtures.ts";
import { jsonFile, shards, tinyUpload, tinyWeights, weightsFile } from "../importFiles.ts";
import { bytes, type Row } from "./row.ts";
import { row } from "./weightsRow.ts";

const tiny = tinyWeights(), hugging = { ...tiny.config };

/** Creates a row for another `config.json`. */
const config = (group: number, title: string, value: unknown, pattern: RegExp) =>
  row(
    group,
    `config.json ${title}`,
    { ...tinyUpload(), config: jsonFile("config.json", value) },
    "config",
    pattern,
  );

/** Invalid configurations. */
export const CONFIG: readonly Row[] = [
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
      value === null ? "weights" : "config",
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
  config(7, "of many values", `[${"0,".repeat(300_000)}0]`, /more than 150000 values/),
  config(7, "of many blanks", `{${"\n".repeat(3_000_000)}!`, /more than 2097152 blanks/),
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
    "preprocessor_config",
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

/** Invalid shards and indexes. */
export const SHARDED: readonly Row[] = [
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
  row(
    55,
    "a shard of two",
    { weights: SHARDS[0], config: configFile },
    "weights",
    /is one of 2 shards: send all/,
  ),
];
