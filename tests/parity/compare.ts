/**
 * Compares the model with the results of PyTorch in a file of `make_reference.py`.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { readSafetensors } from "../../data/safetensors/safetensors.ts";
import { fromWire } from "../../data/wire.ts";
import { classify, features as featuresOf } from "../../model/classifier.ts";
import { type MaeConfig, numPatches } from "../../model/config.ts";
import { PRESETS } from "../../model/presets.ts";
import { lossAndGradient } from "../../model/training/gradients.ts";
import { forward, type MaeOutput, maskBatch } from "../../model/mae.ts";
import { crossEntropy } from "../../model/ops/crossEntropy.ts";
import { AdamW } from "../../model/training/optimizer.ts";
import { sinusoidalPositions } from "../../model/positions.ts";
import { type Architecture, type HostTensor, parameterSpecs } from "../../model/weights.ts";

/** Differences in one group of tensors. */
export interface GroupResult {
  readonly group: string;
  /** Largest |ours - theirs|. */
  readonly absolute: number;
  /** Largest |ours - theirs| / |theirs| where |theirs| > 1e-6. */
  readonly relative: number;
  /** Largest difference divided by its tolerance. The group passes if it is at most 1. */
  readonly share: number;
  /** Name of the tensor with that difference. */
  readonly worst: string;
}

const FORWARD = (_: number) => 1e-5;
const GRADIENT = (theirs: number) => 1e-5 + 1e-4 * Math.abs(theirs);
const EXACT = (_: number) => 0;
const OPTIMIZER = { weightDecay: 0.05, betas: [0.9, 0.999], eps: 1e-8 } as const;
const LR = 1.5e-4;

type Values = ArrayLike<number>;

/** Collects the differences of one group. */
class Group {
  absolute = 0;
  relative = 0;
  share = 0;
  worst = "-";
  compared = 0;
  constructor(readonly group: string) {}

  compare(tensor: string, ours: Values, theirs: Values, tolerance: (theirs: number) => number): void {
    if (ours.length !== theirs.length) {
      throw new Error(`${tensor}: ${ours.length} values, not ${theirs.length}`);
    }
    for (let i = 0; i < ours.length; i++) {
      const error = Math.abs(ours[i] - theirs[i]);
      const limit = tolerance(theirs[i]);
      const share = error === 0 ? 0 : limit === 0 || Number.isNaN(error) ? Infinity : error / limit;
      this.absolute = Number.isNaN(error) ? NaN : Math.max(this.absolute, error);
      if (Math.abs(theirs[i]) > 1e-6) this.relative = Math.max(this.relative, error / Math.abs(theirs[i]));
      if (share > this.share) [this.share, this.worst] = [share, tensor];
    }
    this.compared += ours.length;
  }
}

/**
 * Returns the range of the key biases in an `in_proj_bias`, or null for other parameters. Their exact gradient is zero,
 * because they do not change the softmax.
 */
function keyBiasRange(name: string, length: number): [number, number] | null {
  return name.endsWith("in_proj_bias") ? [length / 3, 2 * length / 3] : null;
}

/** Splits a parameter into its key biases and the rest. */
function withoutKeys(name: string, values: Values): { rest: number[]; keys: number[] } {
  const all = Array.from(values);
  const range = keyBiasRange(name, all.length);
  if (!range) return { rest: all, keys: [] };
  return { rest: [...all.slice(0, range[0]), ...all.slice(range[1])], keys: all.slice(...range) };
}

/**
 * Compares all results in a reference file. The backend must be selected.
 *
 * @param bytes a file of `tests/parity/make_reference.py`
 * @throws {Error} for a file of another form
 */
export async function compareWithReference(bytes: Uint8Array<ArrayBuffer>): Promise<GroupResult[]> {
  const { tensors, metadata } = readSafetensors(bytes);
  const config = { ...PRESETS.mnist, ...fromWire(JSON.parse(metadata.config)) } as MaeConfig;
  const theirs = (name: string): Values => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`The reference has no tensor '${name}'`);
    return tensor.data as unknown as Values;
  };
  const groups: Group[] = [];
  const group = (name: string) => {
    const group = new Group(name);
    groups.push(group);
    return group;
  };

  const n = numPatches(config);
  const batch = theirs("mask").length / n;
  const pixels = channelsLast(theirs("images"), batch, config);
  const noises = Float32Array.from(theirs("noise"));
  const noise = (step: number) => noises.subarray(step * batch * n, (step + 1) * batch * n);
  const mae = parameterSpecs(config, { model: "mae" });
  const initial = new Map<string, HostTensor>(
    mae.map(({ name, shape }) => [name, { shape, data: Float32Array.from(theirs(`param.${name}`)) }]),
  );

  const positions = group("positions");
  for (const dim of [config.embedDim, config.decoderEmbedDim]) {
    positions.compare(`table of ${dim}`, sinusoidalPositions(n, dim), exactPositions(n, dim), FORWARD);
  }

  const masked = maskBatch(config, pixels, noise(0), config.maskRatio);
  const masking = group("masking");
  masking.compare("mask", masked.masking.mask, theirs("mask"), EXACT);
  masking.compare("ids_restore", masked.masking.idsRestore, theirs("ids_restore"), EXACT);

  const optimizer = new AdamW(mae, initial, OPTIMIZER);
  const out = tf.tidy(() =>
    forward(optimizer.byName(optimizer.tensors), config, masked) as never
  ) as MaeOutput;
  for (const name of ["latent", "pred", "loss"] as const) {
    group(name).compare(name, await out[name].data(), theirs(name), FORWARD);
    out[name].dispose();
  }

  const gradients = group("gradients");
  const losses = group("losses");
  for (let step = 0; step < 10; step++) {
    const input = maskBatch(config, pixels, noise(step), config.maskRatio);
    const { loss, gradients: parts } = lossAndGradient(
      optimizer,
      {},
      (weights) => forward(weights, config, input).loss,
    );
    losses.compare("losses", await loss.data(), [theirs("losses")[step]], FORWARD);
    if (step === 0) {
      compareGradients(gradients, mae, await concatenate(parts), (name) => theirs(`grad.${name}`));
    }
    optimizer.step(parts, LR);
    tf.dispose([loss, ...parts]);
    if (step === 0 || step === 9) {
      const after = group(`parameters after ${step + 1}`);
      const keys = group(`key biases after ${step + 1}`);
      for (const [name, { data }] of await optimizer.weights()) {
        const ours = withoutKeys(name, data), their = withoutKeys(name, theirs(`step${step + 1}.${name}`));
        after.compare(name, ours.rest, their.rest, FORWARD);
        keys.compare(name, ours.keys, their.keys, () => LR * (step + 1));
      }
    }
  }
  optimizer.dispose();

  const classes = theirs("classify.head.bias").length;
  const architecture: Architecture = { model: "classifier", classes };
  const specs = parameterSpecs(config, architecture);
  for (const { name, shape } of specs.slice(-2)) {
    initial.set(name, { shape, data: Float32Array.from(theirs(`classify.${name}`)) });
  }
  const classifier = new AdamW(specs, initial, OPTIMIZER);
  const outputs = tf.tidy(() => {
    const weights = classifier.byName(classifier.tensors);
    const features = featuresOf(weights, config, pixels);
    return { features, logits: classify(weights, features) };
  });
  for (const name of ["features", "logits"] as const) {
    group(`classifier ${name}`).compare(
      name,
      await outputs[name].data(),
      theirs(`classify.${name}`),
      FORWARD,
    );
    outputs[name].dispose();
  }
  const labels = Int32Array.from(theirs("classify.labels"));
  const { loss, gradients: parts } = lossAndGradient(
    classifier,
    {},
    (weights) => crossEntropy(classify(weights, featuresOf(weights, config, pixels)), labels),
  );
  group("classifier loss").compare("loss", await loss.data(), theirs("classify.loss"), FORWARD);
  const ours = await concatenate(parts);
  compareGradients(group("classifier gradients"), specs, ours, (name) => theirs(`classify.grad.${name}`));
  tf.dispose([loss, ...parts]);
  classifier.dispose();
  for (const { group, compared } of groups) {
    if (compared === 0) throw new Error(`Nothing was compared in ${group}`);
  }
  return groups;
}

/** Concatenates gradients. */
async function concatenate(parts: readonly tf.Tensor1D[]): Promise<Float32Array> {
  const values = await Promise.all(parts.map((part) => part.data()));
  return Float32Array.from(values.flatMap((list) => [...list]));
}

/** Compares concatenated gradients. Those of key biases must be below 1e-6. */
function compareGradients(
  group: Group,
  specs: readonly { name: string; shape: readonly number[] }[],
  flat: Values,
  theirs: (name: string) => Values,
): void {
  const values = Array.from(flat);
  let offset = 0;
  for (const { name, shape } of specs) {
    const size = shape.reduce((product, length) => product * length, 1);
    const ours = withoutKeys(name, values.slice(offset, offset += size)),
      their = withoutKeys(name, theirs(name));
    group.compare(name, ours.rest, their.rest, GRADIENT);
    group.compare(`${name} (keys)`, ours.keys, ours.keys.map(() => 0), () => 1e-6);
  }
}

/** Converts `[batch, C, H, W]` to `[batch, H, W, C]`. */
function channelsLast(
  images: Values,
  batch: number,
  { inChannels, imageSize }: MaeConfig,
): Float32Array<ArrayBuffer> {
  const plane = imageSize * imageSize;
  const pixels = new Float32Array(images.length);
  for (let b = 0; b < batch; b++) {
    for (let c = 0; c < inChannels; c++) {
      for (let i = 0; i < plane; i++) {
        pixels[(b * plane + i) * inChannels + c] = images[(b * inChannels + c) * plane + i];
      }
    }
  }
  return pixels;
}

/** Computes the sinusoidal positions in float64. */
function exactPositions(patches: number, dim: number): number[] {
  return Array.from({ length: patches * dim }, (_, i) => {
    const [p, column] = [Math.floor(i / dim), i % dim];
    const angle = p / 10000 ** ((column - column % 2) / dim);
    return column % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
  });
}
