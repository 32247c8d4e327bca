/**
 * Compares the model with the results of Hugging Face's ViTMAE in a folder: `config.json`, `model.safetensors`, and the
 * results in `io.safetensors`, `train.safetensors` and `finetune.safetensors` (`make_vitmae.py`).
 *
 * @module
 */
import { readSafetensors } from "../../data/safetensors/safetensors.ts";
import type { Planner } from "../../model/backends/backend.ts";
import { evaluate } from "../../model/backends/evaluate.ts";
import { imageDim, type MaeConfig, numTokens } from "../../model/config.ts";
import { planImport } from "../../model/formats/planImport.ts";
import { forward, maskBatch } from "../../model/mae.ts";
import { tablesOf } from "../../model/positions.ts";
import { openPredictor } from "../../model/prediction/openPredictor.ts";
import type { Task } from "../../model/training/objective.ts";
import { openStepper, type Stepper } from "../../model/training/stepper.ts";
import { type Architecture, type HostTensor, type HostWeights, parameterSpecs } from "../../model/weights.ts";
import { channelsLast, compareGradient, EXACT, FORWARD, Group, type GroupResult } from "./groups.ts";

/** Threads of a backend with a planner. */
const THREADS = 2;
/** A step that does not change the parameters, and whose first moment is the gradient. */
const OPTIMIZER = { weightDecay: 0, betas: [0, 0.999], eps: 1e-8 } as const, LR = 0;

type Tensors = ReadonlyMap<string, HostTensor>;

/** The model and the results in a folder. */
interface Reference {
  readonly config: MaeConfig;
  /** The weights of the MAE, by our names. */
  readonly weights: HostWeights;
  /** `[batch, height, width, channels]`. */
  readonly pixels: Float32Array<ArrayBuffer>;
  readonly io: Tensors;
  readonly train: Tensors;
  readonly finetune: Tensors;
  /** Our names of parameters that the model does not have there, such as biases of zero. */
  readonly lacking: ReadonlySet<string>;
  /** Converts tensors with their names, such as gradients, to ours. @param prefix of their names */
  convert(tensors: Tensors, prefix: string): HostWeights;
}

async function readTensors(file: string): Promise<Tensors> {
  const { tensors } = readSafetensors(await Deno.readFile(file));
  return new Map(
    [...tensors].map((
      [name, { shape, data }],
    ) => [name, { shape, data: Float32Array.from(data as Float32Array) }]),
  );
}

async function readReference(folder: string): Promise<Reference> {
  const [model, io, train, finetune] = await Promise.all(
    ["model", "io", "train", "finetune"].map((name) => readTensors(`${folder}/${name}.safetensors`)),
  );
  const plan = await planImport({
    tensors: new Map([...model].map(([name, { shape }]) => [name, { dtype: "F32", shape }])),
    config: JSON.parse(await Deno.readTextFile(`${folder}/config.json`)),
    metadata: {},
    read: (name) => Promise.resolve(model.get(name)!),
  });
  // The pixels of the reference are normalised already.
  const config: MaeConfig = { ...plan.config, normalize: null };
  const images = io.get("pixel_values")!;
  const convert = (tensors: Tensors, prefix: string): HostWeights =>
    new Map(
      plan.tensors.filter(({ sources }) =>
        // A bias that the reference does not have is zero, and has no gradient there.
        (prefix === "" || sources.length > 0) && sources.every((source) => tensors.has(prefix + source))
      )
        .map(({ name, sources, convert }) => [
          name,
          convert(sources.map((source) => tensors.get(prefix + source)!)),
        ]),
    );
  const pixels = channelsLast(images.data, images.shape[0], config);
  const lacking = new Set(plan.tensors.filter(({ sources }) => sources.length === 0).map(({ name }) => name));
  return { lacking, config, weights: convert(model, ""), pixels, io, train, finetune, convert };
}

/**
 * Compares all results in a folder. The backend must be selected.
 *
 * @param planner of the selected backend
 * @throws {Error} for a folder of another form
 */
export async function compareWithVitMae(folder: string, planner?: Planner): Promise<GroupResult[]> {
  const reference = await readReference(folder);
  const groups = [
    ...await compareForward(reference, planner),
    ...await comparePretraining(reference, planner),
    ...await compareFinetuning(reference, planner),
  ];
  for (const { group, compared } of groups) {
    if (compared === 0) throw new Error(`Nothing was compared in ${group}`);
  }
  return groups;
}

/** Returns the tolerance of a gradient. That of a small gradient is a thousandth of its largest value. */
function gradientTolerance(theirs: Float32Array): () => number {
  const largest = theirs.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
  return () => Math.min(1e-5, Math.max(1e-7, 1e-3 * largest));
}

/** Returns the group of one tensor, in which it was compared. */
function groupOf(
  name: string,
  ours: ArrayLike<number>,
  theirs: ArrayLike<number>,
  tolerance = FORWARD,
): Group {
  const group = new Group(name);
  group.compare(name, ours, theirs, tolerance);
  return group;
}

/** Compares masking, forward pass and loss, and the class token with nothing masked. */
async function compareForward(
  { config, weights, pixels, io }: Reference,
  planner: Planner | undefined,
): Promise<Group[]> {
  const theirs = (name: string) => io.get(name)!.data, tables = tablesOf(config, weights);
  const batch = maskBatch(config, pixels, theirs("noise"), config.maskRatio, { tables });
  const parameters = [...weights];
  const [latent, loss] = await evaluate(
    parameters.map(([, tensor]) => tensor),
    (...tensors) => {
      const byName = Object.fromEntries(parameters.map(([name], i) => [name, tensors[i]]));
      const out = forward(byName, config, batch);
      return [out.latent, out.loss];
    },
    planner,
  );
  const predictor = await openPredictor({ config, weights, threads: THREADS }, planner);
  const groups = [
    groupOf("mask", batch.masking.mask, theirs("mask"), EXACT),
    groupOf("ids_restore", batch.masking.idsRestore, theirs("ids_restore"), EXACT),
    groupOf("latent", latent, theirs("latent")),
    groupOf("logits", await predictor.patches(batch), theirs("logits")),
    groupOf("loss", loss, theirs("loss")),
    groupOf("cls_unmasked", await predictor.features(pixels, "cls"), theirs("cls_unmasked")),
  ];
  await predictor.dispose();
  return groups;
}

/** Opens a training of all parameters. */
function openTraining(
  task: Task,
  weights: HostWeights,
  batchSize: number,
  planner: Planner | undefined,
): Promise<Stepper> {
  return openStepper({
    task,
    trainable: parameterSpecs(task.config, task.architecture),
    frozen: new Map(),
    weights,
    optimizer: OPTIMIZER,
    batchSize,
    threads: THREADS,
  }, planner);
}

/** Compares the loss and the gradients of the first step of pre-training. */
async function comparePretraining(
  { config, weights, pixels, train, lacking, convert }: Reference,
  planner: Planner | undefined,
): Promise<Group[]> {
  const architecture: Architecture = { model: "mae" }, batchSize = pixels.length / imageDim(config);
  const tables = tablesOf(config, weights);
  const stepper = await openTraining({ config, architecture, tables, seed: 0 }, weights, batchSize, planner);
  const noise = train.get("noise")!.data.slice(0, batchSize * (numTokens(config) - 1));
  const loss = await (await stepper.prepare({ pixels, labels: null, noise }, 0, 0))(LR);
  const gradients = new Group("gradients"), theirs = convert(train, "grad.");
  for (const [name, { data }] of (await stepper.state()).expAvg) {
    const expected = theirs.get(name)?.data;
    if (expected) compareGradient(gradients, name, data, expected, gradientTolerance(expected));
    else if (!lacking.has(name)) throw new Error(`train.safetensors has no gradient of '${name}'`);
  }
  await stepper.dispose();
  return [groupOf("first loss", [loss], train.get("losses")!.data.slice(0, 1)), gradients];
}

/**
 * Compares features, logits, loss and gradients of fine-tuning with mixed images and labels. The loss is linear in the
 * target, so it and its gradient are sums of those for whole labels.
 */
async function compareFinetuning(
  { config: ofMae, weights: ofPretraining, pixels: images, finetune, lacking, convert }: Reference,
  planner: Planner | undefined,
): Promise<Group[]> {
  const theirs = (name: string) => finetune.get(name)!.data, target = theirs("target");
  const config: MaeConfig = { ...ofMae, pool: "mean", fcNorm: true },
    tables = tablesOf(config, ofPretraining);
  const classes = theirs("head.bias").length, architecture: Architecture = { model: "classifier", classes };
  const specs = parameterSpecs(config, architecture);
  const weights = new Map(
    [...ofPretraining, ...finetune].filter(([name]) =>
      specs.some((spec) => spec.name === name) || name.endsWith(".pe")
    ),
  );
  const batchSize = images.length / imageDim(config);
  const pixels = mixed(images, theirs("partner"), theirs("lambda")[0]);
  const predictor = await openPredictor({ config, weights, threads: THREADS }, planner);
  const features = await predictor.features(pixels), logits = await predictor.logits(pixels);
  await predictor.dispose();
  const stepper = await openTraining({ config, architecture, tables, seed: 0 }, weights, batchSize, planner);
  let loss = 0;
  const sums = new Map(specs.map(({ name }) => [name, [] as number[]]));
  const add = async (labels: Int32Array, factor: number) => {
    loss += factor * await (await stepper.prepare({ pixels, labels }, 0, 0))(LR);
    for (const [name, { data }] of (await stepper.state()).expAvg) {
      const sum = sums.get(name)!;
      data.forEach((value, i) => sum[i] = (sum[i] ?? 0) + factor * value);
    }
  };
  // With the label 0 for every image, and then with another label for one image.
  let rest = 1;
  for (let image = 0; image < batchSize; image++) {
    for (let label = 1; label < classes; label++) {
      const share = target[image * classes + label];
      if (share === 0) continue;
      rest -= share;
      await add(Int32Array.from({ length: batchSize }, (_, i) => i === image ? label : 0), share);
    }
  }
  await add(new Int32Array(batchSize), rest);
  await stepper.dispose();
  const gradients = new Group("fine-tuning gradients"), converted = convert(finetune, "grad.");
  for (const [name, gradient] of sums) {
    const expected = (converted.get(name) ?? finetune.get(`grad.${name}`))?.data;
    if (expected) compareGradient(gradients, name, gradient, expected, gradientTolerance(expected));
    else if (!lacking.has(name)) throw new Error(`finetune.safetensors has no gradient of '${name}'`);
  }
  return [
    groupOf("features", features, theirs("features")),
    groupOf("fine-tuning logits", logits, theirs("logits")),
    groupOf("fine-tuning loss", [loss], theirs("losses").slice(0, 1)),
    gradients,
  ];
}

/** Mixes each image with another one of the batch. */
function mixed(images: Float32Array, partner: Float32Array, share: number): Float32Array<ArrayBuffer> {
  const size = images.length / partner.length;
  return Float32Array.from(
    images,
    (value, i) => share * value + (1 - share) * images[partner[Math.floor(i / size)] * size + i % size],
  );
}
