/**
 * Groups 20 to 40: numbers, the configuration of the model, and the source of a job.
 *
 * @module
 */
import { START_ROWS } from "./starts.ts";
import { job, PRETRAIN, raw, type Row, values } from "./row.ts";

const NONE = "0".repeat(26);
const tune = { kind: "finetune", dataset: "digits" };
const evaluate = { kind: "evaluate", dataset: "digits" };
const literal = (group: number, field: string, value: string) =>
  raw(group, `${field} ${value}`, `{"kind":"pretrain","dataset":"digits","${field}":${value}}`, 422, {
    path: field,
  });

/** Numbers and configurations. */
export const NUMBERS: readonly Row[] = [
  ...values(20, "epochs", [0, -1, 1.5, 1e9, "10", "NaN", "Infinity", null, true, [1], {}, ""]),
  ...values(20, "max_steps", [0, 1.5, -3, 1e9]),
  literal(20, "epochs", "1e999"),
  literal(21, "lr", "1e999"),
  ...values(21, "lr", [0, -1e-3, 1e308, 5e-324, "1e-3"]),
  ...values(21, "weight_decay", [-1, 1e9]),
  ...values(21, "min_lr", [-1, 11]),
  ...values(22, "model.mask_ratio", [0, 1, -0.1, 1.1, "0.5"]),
  ...values(23, "model.mask_ratio", [0.99], /keeps no patch/),
  ...values(23, "model.mask_ratio", [1e-18], /masks no patch/),
  job(
    23,
    "a ratio that keeps nothing of one patch",
    { ...PRETRAIN, model: { patch_size: 28 } },
    "model.mask_ratio",
    /keeps no patch/,
  ),
  job(
    23,
    "an evaluation that keeps no patch",
    ({ mae }) => ({ ...evaluate, checkpoint: mae, mask_ratio: 0.99 }),
    "mask_ratio",
    /keeps no patch/,
  ),
  job(
    23,
    "an evaluation that masks no patch",
    ({ job }) => ({ ...evaluate, job, mask_ratio: 1e-18 }),
    "mask_ratio",
    /masks no patch/,
  ),
  ...values(24, "model.patch_size", [5], /divide/),
  ...values(24, "model.patch_size", [0, 1.5, -4, "4"]),
  ...values(25, "model.patch_size", [56], /larger than the image/),
  ...values(26, "model.image_size", [0, 1_000_000, -28, 28.5]),
  ...values(26, "model.image_size", [1], undefined).map((row) => ({ ...row, path: "model.patch_size" })),
  ...values(27, "model.num_heads", [5, 3], /divide embed_dim/),
  ...values(27, "model.num_heads", [0, -1, 65]),
  ...values(27, "model.decoder_num_heads", [5, 33]),
  job(28, "an odd width", { ...PRETRAIN, model: { embed_dim: 63, num_heads: 3 } }, "model.embed_dim", /even/),
  ...values(28, "model.embed_dim", [0, 1e6]),
  ...values(29, "model.depth", [0, 10_000, 1.5]),
  ...values(29, "model.decoder_depth", [0, 10_000]),
  ...values(29, "model.mlp_ratio", [0, -1, 17, 0.001]),
  ...values(29, "model.dropout", [1, -0.1, 2]),
  job(
    30,
    "a large batch",
    { ...PRETRAIN, model: { preset: "vit_base", dropout: 0.1 }, batch_size: 4096 },
    "batch_size",
    /needs? .* GiB.*may use 16\.0 GiB.*smaller batch_size \(at most \d+\)/,
  ),
  job(
    30,
    "a large model",
    { ...PRETRAIN, model: { embed_dim: 4096, depth: 64 }, batch_size: 1 },
    "batch_size",
    /smaller model, because batch_size 1 needs \d+\.\d GiB/,
  ),
  job(
    30,
    "a large classifier",
    { ...tune, model: { preset: "vit_base", dropout: 0.1 }, batch_size: 4096 },
    "batch_size",
    /GiB/,
  ),
  job(
    31,
    "a batch above the data set",
    { ...PRETRAIN, dataset: { id: "digits", size: 100 }, batch_size: 128 },
    "batch_size",
    /drop_last/,
  ),
  ...values(31, "batch_size", [0, -1, 2.5, 1e6]),
  ...["size", "seed"].map((field) =>
    job(31, `${field} of another data set`, { ...PRETRAIN, dataset: { id: "mnist", [field]: 10 } }, "dataset")
  ),
  ...[0, 5, 1e9, "100"].map((size) =>
    job(31, `digits of ${size}`, { ...PRETRAIN, dataset: { id: "digits", size } }, "dataset.size")
  ),
  ...values(32, "accumulate", [4]),
  ...values(32, "checkpoint_every", [{ epochs: 1, steps: 1 }, {}], /either/),
  ...values(32, "checkpoint_every.steps", [0, 0.5]),
  job(33, "warm-up longer than the run", { ...PRETRAIN, epochs: 2, warmup_epochs: 3 }, "warmup_epochs"),
  job(33, "min_lr above lr", { ...PRETRAIN, lr: 1e-3, min_lr: 1e-2 }, "min_lr"),
  ...values(33, "warmup_epochs", [-1, "1"]),
  ...values(33, "schedule", ["step", null]),
  job(34, "a beta of 1", { ...PRETRAIN, betas: [0.9, 1] }, "betas.1"),
  job(34, "a negative beta", { ...PRETRAIN, betas: [-0.1, 0.9] }, "betas.0"),
  job(34, "three betas", { ...PRETRAIN, betas: [0.9, 0.9, 0.9] }, "betas"),
  ...values(34, "eps", [0, -1e-8, 2]),
  ...values(35, "seed", [-1, 2 ** 53, 0.5, "1"]),
  ...values(36, "model.in_channels", [2, 5, 0]),
  job(
    37,
    "a classifier measured on other classes",
    ({ classifier, twoClasses }) => ({
      ...evaluate,
      split: "train",
      checkpoint: classifier,
      dataset: twoClasses,
    }),
    "dataset",
    /'a', 'b'; the classifier's 10 classes/,
  ),
  job(
    37,
    "a classifier measured without labels",
    ({ classifier, unlabelled }) => ({
      ...evaluate,
      split: "train",
      checkpoint: classifier,
      dataset: unlabelled,
    }),
    "dataset",
    /labels/,
  ),
  ...["finetune", "linear_probe"].map((kind) =>
    job(
      37,
      `${kind} without labels`,
      ({ mae, unlabelled }) => ({ kind, checkpoint: mae, dataset: unlabelled }),
      "dataset",
      /labels/,
    )
  ),
  job(
    37,
    "an evaluation on an empty split",
    ({ mae, unlabelled }) => ({ ...evaluate, checkpoint: mae, dataset: unlabelled }),
    "split",
    /'test'/,
  ),
  ...values(37, "num_classes", [10]),
  ...["layer_decay", "mixup", "smoothing"].flatMap((field) => values(38, field, [0, -0.1, 1.1])),
  job(39, "both lr and base_lr", { ...PRETRAIN, lr: 1e-3, base_lr: 1e-3 }, "base_lr"),
  job(40, "no model to start from", tune, "checkpoint", /exactly one/),
  job(40, "an evaluation of nothing", evaluate, "checkpoint", /exactly one/),
  job(40, "both checkpoint and job", ({ mae, job }) => ({ ...tune, checkpoint: mae, job }), "checkpoint"),
  ...START_ROWS,
  job(40, "an evaluation of a configuration", { ...evaluate, model: "mnist" }, "model"),
  job(40, "an unknown checkpoint", { ...tune, checkpoint: `ckpt_${NONE}` }, "checkpoint", /no checkpoint/),
  job(40, "an unknown job", { ...tune, job: `job_${NONE}` }, "job", /no job/),
  job(40, "a job as checkpoint", ({ job }) => ({ ...tune, checkpoint: job }), "checkpoint", /no checkpoint/),
  job(40, "a path as checkpoint", { ...tune, checkpoint: "../../etc/passwd" }, "checkpoint", /no checkpoint/),
  job(40, "a checkpoint that was deleted", ({ deleted }) => ({ ...tune, checkpoint: deleted }), "checkpoint"),
  job(40, "a job that was deleted", ({ deletedJob }) => ({ ...tune, job: deletedJob }), "job"),
  job(40, "a job that waits", ({ queued }) => ({ ...tune, job: queued }), "job", /wait for its first/, 409),
  job(
    40,
    "a job that was cancelled",
    ({ cancelled }) => ({ ...tune, job: cancelled }),
    "job",
    /cancelled/,
    409,
  ),
  job(
    53,
    "a single image for a batch",
    ({ single }) => ({ ...PRETRAIN, dataset: single }),
    "batch_size",
    /1 train/,
  ),
];
