/**
 * Compares the model with the results of PyTorch in a file of `make_reference.py`.
 *
 * @module
 */
import { readSafetensors } from "../../data/safetensors/safetensors.ts";
import { fromWire } from "../../data/wire.ts";
import type { Planner } from "../../model/backends/backend.ts";
import { evaluate } from "../../model/backends/evaluate.ts";
import { completeConfig, imageDim, type MaeConfig, numPatches } from "../../model/config.ts";
import { forward, maskBatch } from "../../model/mae.ts";
import { sinusoidalPositions } from "../../model/positions.ts";
import { openPredictor } from "../../model/prediction/openPredictor.ts";
import type { Predictor } from "../../model/prediction/predictor.ts";
import { openStepper, type Stepper } from "../../model/training/stepper.ts";
import {
  type Architecture,
  type HostWeights,
  type ParameterSpec,
  parameterSpecs,
} from "../../model/weights.ts";
import {
  channelsLast,
  compareGradient,
  EXACT,
  FORWARD,
  Group,
  type GroupResult,
  type Values,
  withoutKeys,
} from "./groups.ts";

const OPTIMIZER = { weightDecay: 0.05, betas: [0.9, 0.999], eps: 1e-8 } as const;
const LR = 1.5e-4;
/** Threads of a backend with a planner. */
const THREADS = 2;

/** A reference file and the inputs in it. */
interface Reference {
  readonly config: MaeConfig;
  readonly pixels: Float32Array;
  readonly labels: Int32Array;
  /** Number of classes of the classifier. */
  readonly classes: number;
  /** Returns a stored tensor. @throws {Error} when there is none with this name */
  theirs(name: string): Values;
  /** Returns the noise of a step, `[batch, N]`. */
  noise(step: number): Float32Array;
}

function readReference(bytes: Uint8Array<ArrayBuffer>): Reference {
  const { tensors, metadata } = readSafetensors(bytes);
  const config = completeConfig(fromWire(JSON.parse(metadata.config)) as Partial<MaeConfig>);
  const theirs = (name: string): Values => {
    const tensor = tensors.get(name);
    if (!tensor) throw new Error(`The reference has no tensor '${name}'`);
    return tensor.data as unknown as Values;
  };
  const size = theirs("mask").length, noises = Float32Array.from(theirs("noise"));
  return {
    config,
    pixels: channelsLast(theirs("images"), size / numPatches(config), config),
    labels: Int32Array.from(theirs("classify.labels")),
    classes: theirs("classify.head.bias").length,
    theirs,
    noise: (step) => noises.subarray(step * size, (step + 1) * size),
  };
}

/** Collects the groups of one file. */
class Comparison {
  readonly groups: Group[] = [];

  /** @param planner of the selected backend */
  constructor(readonly reference: Reference, readonly planner: Planner | undefined) {}

  group(name: string): Group {
    const group = new Group(name);
    this.groups.push(group);
    return group;
  }

  /** Returns the initial weights of a model. */
  weightsOf(specs: readonly ParameterSpec[]): HostWeights {
    const { theirs } = this.reference;
    const nameOf = (name: string) => name.startsWith("head.") ? `classify.${name}` : `param.${name}`;
    return new Map(
      specs.map(({ name, shape }) => [name, { shape, data: Float32Array.from(theirs(nameOf(name))) }]),
    );
  }

  openStepper(architecture: Architecture, specs: readonly ParameterSpec[]): Promise<Stepper> {
    const { config, pixels } = this.reference;
    return openStepper({
      task: { config, architecture, seed: 0 },
      trainable: specs,
      frozen: new Map(),
      weights: this.weightsOf(specs),
      optimizer: OPTIMIZER,
      batchSize: pixels.length / imageDim(config),
      threads: THREADS,
    }, this.planner);
  }

  openPredictor(specs: readonly ParameterSpec[]): Promise<Predictor> {
    const { config } = this.reference;
    return openPredictor({ config, weights: this.weightsOf(specs), threads: THREADS }, this.planner);
  }
}

/**
 * Compares all results in a reference file. The backend must be selected.
 *
 * @param bytes a file of `tests/parity/make_reference.py`
 * @param planner of the selected backend
 * @throws {Error} for a file of another form
 */
export async function compareWithReference(
  bytes: Uint8Array<ArrayBuffer>,
  planner?: Planner,
): Promise<GroupResult[]> {
  const comparison = new Comparison(readReference(bytes), planner);
  comparePositions(comparison);
  await compareForward(comparison);
  await compareTraining(comparison);
  await compareClassifier(comparison);
  for (const { group, compared } of comparison.groups) {
    if (compared === 0) throw new Error(`Nothing was compared in ${group}`);
  }
  return comparison.groups;
}

/** Compares the tables of positions. */
function comparePositions(comparison: Comparison): void {
  const { config } = comparison.reference, n = numPatches(config), positions = comparison.group("positions");
  for (const dim of [config.embedDim, config.decoderEmbedDim]) {
    positions.compare(`table of ${dim}`, sinusoidalPositions(n, dim), exactPositions(n, dim), FORWARD);
  }
}

/** Compares masking and forward pass of the MAE. */
async function compareForward(comparison: Comparison): Promise<void> {
  const { reference: { config, pixels, theirs, noise }, planner } = comparison;
  const batch = maskBatch(config, pixels, noise(0), config.maskRatio);
  const masking = comparison.group("masking");
  masking.compare("mask", batch.masking.mask, theirs("mask"), EXACT);
  masking.compare("ids_restore", batch.masking.idsRestore, theirs("ids_restore"), EXACT);

  const weights = [...comparison.weightsOf(parameterSpecs(config, { model: "mae" }))];
  const [latent, , loss] = await evaluate(
    weights.map(([, tensor]) => tensor),
    (...tensors) => {
      const out = forward(Object.fromEntries(weights.map(([name], i) => [name, tensors[i]])), config, batch);
      return [out.latent, out.pred, out.loss];
    },
    planner,
  );
  const predictor = await comparison.openPredictor(parameterSpecs(config, { model: "mae" }));
  const pred = await predictor.patches(batch);
  await predictor.dispose();
  for (const [name, values] of Object.entries({ latent, pred, loss })) {
    comparison.group(name).compare(name, values, theirs(name), FORWARD);
  }
}

/** Compares ten training steps of the MAE. */
async function compareTraining(comparison: Comparison): Promise<void> {
  const { config, pixels, theirs, noise } = comparison.reference;
  const specs = parameterSpecs(config, { model: "mae" });
  const stepper = await comparison.openStepper({ model: "mae" }, specs);
  const gradients = comparison.group("gradients"), losses = comparison.group("losses");
  for (let step = 0; step < 10; step++) {
    const run = await stepper.prepare({ pixels, labels: null, noise: noise(step) }, 0, step);
    losses.compare("losses", [await run(LR)], [theirs("losses")[step]], FORWARD);
    if (step === 0) await compareGradients(gradients, stepper, (name) => theirs(`grad.${name}`));
    if (step !== 0 && step !== 9) continue;
    const after = comparison.group(`parameters after ${step + 1}`);
    const keys = comparison.group(`key biases after ${step + 1}`);
    for (const [name, { data }] of await stepper.weights()) {
      const ours = withoutKeys(name, data), their = withoutKeys(name, theirs(`step${step + 1}.${name}`));
      after.compare(name, ours.rest, their.rest, FORWARD);
      keys.compare(name, ours.keys, their.keys, () => LR * (step + 1));
    }
  }
  await stepper.dispose();
}

/** Compares the forward pass of a classifier, and the gradients of a training step. */
async function compareClassifier(comparison: Comparison): Promise<void> {
  const { config, pixels, labels, classes, theirs } = comparison.reference;
  const architecture: Architecture = { model: "classifier", classes };
  const specs = parameterSpecs(config, architecture);
  const predictor = await comparison.openPredictor(specs);
  for (const name of ["features", "logits"] as const) {
    const values = await predictor[name](pixels);
    comparison.group(`classifier ${name}`).compare(name, values, theirs(`classify.${name}`), FORWARD);
  }
  await predictor.dispose();
  const stepper = await comparison.openStepper(architecture, specs);
  const loss = await (await stepper.prepare({ pixels, labels }, 0, 0))(LR);
  comparison.group("classifier loss").compare("loss", [loss], theirs("classify.loss"), FORWARD);
  const gradients = comparison.group("classifier gradients");
  await compareGradients(gradients, stepper, (name) => theirs(`classify.grad.${name}`));
  await stepper.dispose();
}

/** Compares the gradients of the first step: the first moment is `1 - beta1` of the gradient. */
async function compareGradients(
  group: Group,
  stepper: Stepper,
  theirs: (name: string) => Values,
): Promise<void> {
  const { expAvg } = await stepper.state();
  for (const [name, { data }] of expAvg) {
    compareGradient(group, name, Array.from(data, (value) => value / (1 - OPTIMIZER.betas[0])), theirs(name));
  }
}

/** Computes the sinusoidal positions in float64. */
function exactPositions(patches: number, dim: number): number[] {
  return Array.from({ length: patches * dim }, (_, i) => {
    const [p, column] = [Math.floor(i / dim), i % dim];
    const angle = p / 10000 ** ((column - column % 2) / dim);
    return column % 2 === 0 ? Math.sin(angle) : Math.cos(angle);
  });
}
