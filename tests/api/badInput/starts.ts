/**
 * Group 40: jobs that start from a checkpoint, and change its configuration.
 *
 * @module
 */
import { job, PRETRAIN, type Row, type StoredIds } from "./row.ts";

const TUNE = { kind: "finetune", dataset: "digits" };
const PROBE = { kind: "linear_probe", dataset: "digits" };

/** Creates a row for changes of the configuration of the stored masked autoencoder. */
function changes(kind: object, model: unknown, path: string, pattern?: RegExp): Row {
  const title = `${JSON.stringify(kind)} with ${JSON.stringify(model)}`;
  return job(40, title, ({ mae }) => ({ ...kind, checkpoint: mae, model }), path, pattern);
}

const from = (kind: object, source: keyof StoredIds, pattern: RegExp): Row =>
  job(
    40,
    `${JSON.stringify(kind)} from ${source}`,
    (ids) => ({ ...kind, checkpoint: ids[source] }),
    "checkpoint",
    pattern,
  );

/** Invalid starts of jobs. The stored models have images of 28 x 28 pixels and patches of 7 x 7. */
export const START_ROWS: readonly Row[] = [
  from(PRETRAIN, "classifier", /masked autoencoder, or of an encoder without .*is of a classifier/),
  from(PROBE, "classifier", /masked autoencoder, or of an encoder without .*is of a classifier/),
  ...[PRETRAIN, TUNE, PROBE].flatMap((kind) => [
    job(40, "a checkpoint and a job", ({ mae, job }) => ({ ...kind, checkpoint: mae, job }), "checkpoint"),
    changes(kind, "mnist", "model", /preset/),
    changes(kind, { preset: "mnist" }, "model.preset", /preset/),
    changes(kind, { embed_dim: 32 }, "model.embed_dim", /must be 16 as in the checkpoint.*is 32$/),
    changes(kind, { depth: 2 }, "model.depth", /must be 1 as in the checkpoint/),
    changes(kind, { patch_size: 14 }, "model.patch_size", /must be 7 as in/),
    changes(kind, { num_heads: 4 }, "model.num_heads"),
    changes(kind, { mlp_ratio: 4 }, "model.mlp_ratio"),
    changes(kind, { cls_token: true }, "model.cls_token", /must be false as in/),
    changes(kind, { layer_norm_eps: 1e-6 }, "model.layer_norm_eps"),
    changes(kind, { positions: "stored" }, "model.positions", /"sincos_1d" as in/),
    changes(
      kind,
      { image_size: 30 },
      "model.image_size",
      /multiple of the checkpoint's patch size, 7: .* 30$/,
    ),
    changes(kind, { image_size: 28.5 }, "model.image_size", /whole number/),
    changes(kind, { image_size: 455 }, "model.image_size", /4225 patches, more than 4096/),
    changes(kind, { in_channels: 2 }, "model.in_channels", /1 or 3/),
    changes(kind, { normalize: "imagenet" }, "model.normalize", /1 mean and deviation/),
    changes(kind, { pool: "cls" }, "model.pool", /class token/),
    changes(kind, { widht: 3 }, "model.widht"),
  ]),
  changes(PRETRAIN, { decoder_depth: 2 }, "model.decoder_depth", /must be 1 as in the checkpoint/),
  changes(PRETRAIN, { fc_norm: true }, "model.fc_norm", /must be false as in the checkpoint/),
  changes(PRETRAIN, { image_size: 7 }, "model.mask_ratio", /keeps no patch of 1/),
  changes(PRETRAIN, { norm_pix_loss: "yes" }, "model.norm_pix_loss"),
  changes(TUNE, { mask_ratio: 0.5 }, "model.mask_ratio", /is not a field/),
  changes(PROBE, { dropout: 0.1 }, "model.dropout", /must be 0/),
  changes(PROBE, { drop_path: 0.1 }, "model.drop_path", /must be 0/),
  job(
    40,
    "a stored table with random weights",
    { ...PRETRAIN, model: { positions: "stored" } },
    "model.positions",
    /only the file of a checkpoint/,
  ),
];
