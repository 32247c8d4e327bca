/**
 * Invalid inference requests (groups 18 to 47), and invalid checkpoint files (56 to 66). The rules of the file format are
 * tested in `tests/data/safetensors/safetensors_test.ts`.
 *
 * @module
 */
import { readSafetensors, type Tensor, writeSafetensors } from "../../../data/safetensors/safetensors.ts";
import type { Bytes } from "../../../data/bytes.ts";
import { TestApi, TINY } from "../fixtures.ts";
import { inference, type Row, type StoredIds } from "./row.ts";

const one = { dataset: { id: "digits", indices: [0] } };
const indices = (...list: unknown[]) => ({ dataset: { id: "digits", indices: list } });

/** Invalid inference requests. */
export const INFERENCE: readonly Row[] = [
  inference(18, "an unknown field", "embeddings", { ...one, layer: 3 }, "layer"),
  inference(
    18,
    "a field of reconstructions alone",
    "classifications",
    { ...one, mask_ratio: 0.5 },
    "mask_ratio",
  ),
  inference(
    18,
    "an unknown value of include",
    "reconstructions",
    { ...one, include: ["weights"] },
    "include.0",
  ),
  inference(18, "neither images nor a data set", "embeddings", {}, "pictures", /exactly one/),
  inference(
    18,
    "pictures and a data set",
    "embeddings",
    { ...one, pictures: ["AAAA"] },
    "pictures",
    /exactly one/,
  ),
  inference(18, "no image", "embeddings", { pictures: [] }, "pictures"),
  inference(18, "513 images", "embeddings", { pictures: Array(513).fill("AAAA") }, "pictures", /512/),
  inference(
    18,
    "a model and a job",
    "embeddings",
    ({ job }) => ({ ...one, job }),
    "checkpoint",
    /exactly one/,
  ),
  inference(
    18,
    "an unknown data set",
    "embeddings",
    { dataset: { id: "cifar", indices: [0] } },
    "dataset.id",
  ),
  inference(
    18,
    "an unknown split",
    "embeddings",
    { dataset: { id: "digits", indices: [0], split: "all" } },
    "dataset.split",
  ),
  inference(
    20,
    "an index outside the data set",
    "embeddings",
    indices(0, 2000),
    "dataset.indices.1",
    /0 to 1999/,
  ),
  inference(
    20,
    "an index above the requested size",
    "embeddings",
    {
      dataset: { id: "digits", split: "train", size: 10, indices: [10] },
    },
    "dataset.indices.0",
    /0 to 9/,
  ),
  ...[-1, 0.5, "0", 2 ** 53, null].map((index) =>
    inference(20, `the index ${JSON.stringify(index)}`, "embeddings", indices(index), "dataset.indices.0")
  ),
  inference(20, "no index", "embeddings", indices(), "dataset.indices"),
  inference(20, "513 indices", "embeddings", indices(...Array(513).keys()), "dataset.indices", /512/),
  ...[0, 1, -0.5, 1.5, "0.5"].map((mask_ratio) =>
    inference(
      22,
      `a mask ratio of ${JSON.stringify(mask_ratio)}`,
      "reconstructions",
      { ...one, mask_ratio },
      "mask_ratio",
    )
  ),
  inference(
    23,
    "a ratio that keeps nothing",
    "reconstructions",
    { ...one, mask_ratio: 0.99 },
    "mask_ratio",
    /keeps no/,
  ),
  inference(
    23,
    "a ratio that masks nothing",
    "reconstructions",
    { ...one, mask_ratio: 1e-18 },
    "mask_ratio",
    /masks no/,
  ),
  ...[-1, 0.5, 2 ** 53, "1"].map((seed) =>
    inference(35, `the seed ${JSON.stringify(seed)}`, "reconstructions", { ...one, seed }, "seed")
  ),
  ...["job_00000000000000000000000000", "../ckpt", "", 7].map((checkpoint) =>
    inference(
      69,
      `the checkpoint ${JSON.stringify(checkpoint)}`,
      "embeddings",
      { ...one, checkpoint },
      "checkpoint",
    )
  ),
];

type Tensors = Map<string, Tensor>;

/** Changes the tensors or the metadata of a checkpoint file, and writes a valid header. */
const rewritten =
  (change: (tensors: Tensors, metadata: Record<string, string>) => void) => (file: Bytes): Bytes => {
    const { tensors, metadata } = readSafetensors(file);
    const changed = { tensors: new Map(tensors), metadata: { ...metadata } };
    change(changed.tensors, changed.metadata);
    return writeSafetensors(changed.tensors, changed.metadata);
  };

const NORM = "encoder.norm.weight";

function filled(tensors: Tensors, value: number): void {
  const tensor = tensors.get(NORM)!;
  tensors.set(NORM, { ...tensor, data: new Float32Array(TINY.embedDim).fill(value) } as Tensor);
}

/** Changed files whose digest matches the checkpoint's row, and the expected message. */
const ALTERED: readonly [group: number, title: string, altered: (file: Bytes) => Bytes, pattern: RegExp][] = [
  [
    57,
    "a tensor of another shape",
    rewritten((tensors) => {
      const tensor = tensors.get(NORM)!;
      tensors.set(NORM, { ...tensor, shape: [4, 4] });
    }),
    /encoder\.norm\.weight/,
  ],
  [58, "a tensor too few", rewritten((tensors) => void tensors.delete(NORM)), /encoder\.norm\.weight/],
  [58, "a tensor too many", rewritten((tensors) => void tensors.set("extra", tensors.get(NORM)!)), /extra/],
  [
    59,
    "another number format",
    rewritten((tensors) => {
      tensors.set(
        NORM,
        { dtype: "F64", shape: [TINY.embedDim], data: new Float64Array(TINY.embedDim) } as Tensor,
      );
    }),
    /F64/,
  ],
  [60, "NaN", rewritten((tensors) => filled(tensors, NaN)), /encoder\.norm\.weight/],
  [60, "an infinity", rewritten((tensors) => filled(tensors, Infinity)), /encoder\.norm\.weight/],
  [
    64,
    "a pickle",
    () => new Uint8Array([0x80, 2, 0x7d, 0x71, 0, 0x2e, ...new Uint8Array(100)]),
    /pickle/,
  ],
  [65, "a byte too few", (file) => file.slice(0, -1), /bytes/],
  [65, "a byte too many", (file) => new Uint8Array([...file, 0]), /bytes/],
  [
    66,
    "metadata of another configuration",
    rewritten((_, metadata) => {
      metadata.config = JSON.stringify({ ...JSON.parse(metadata.config), depth: 2 });
    }),
    /depth 2/,
  ],
];

/** Stores the changed checkpoints. @returns rows that use them */
export async function alteredCheckpoints(api: TestApi): Promise<Row[]> {
  const rows: Row[] = [];
  for (const [group, title, altered, pattern] of ALTERED) {
    const { id } = await api.model("mae", altered);
    const body = (_: StoredIds) => ({ checkpoint: id, ...one });
    rows.push(inference(group, title, "reconstructions", body, "checkpoint", pattern, 409));
  }
  return rows;
}
