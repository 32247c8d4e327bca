/**
 * The cost of the fields of a model: training steps with a field and without it, in turn.
 *
 * @module
 */
import { loadSettings } from "../settings/environment.ts";
import { selectBackend } from "../../model/backends/select.ts";
import { imageDim, type MaeConfig } from "../../model/config.ts";
import { uniform } from "../../model/random.ts";
import { openStepper, type Stepper } from "../../model/training/stepper.ts";
import { type Architecture, drawWeights, parameterSpecs } from "../../model/weights.ts";
import type { Subject } from "./engine.ts";
import { MODELS } from "./models.ts";
import { type BenchOptions, integerOption, subjectOf } from "./options.ts";
import { round } from "./round.ts";

/** The values of the fields that the plain step has. */
const PLAIN = {
  clsToken: false,
  positions: "sincos_1d",
  layerNormEps: 1e-5,
  normPixLoss: false,
  normalize: null,
} as const satisfies Partial<MaeConfig>;

type Fields = Readonly<Record<string, Partial<MaeConfig>>>;

/** Fields of both kinds of model. */
const SHARED = (channels: number): Fields => ({
  cls_token: { clsToken: true },
  sincos_2d: { positions: "sincos_2d" },
  "layer_norm_eps 1e-6": { layerNormEps: 1e-6 },
  normalize: { normalize: { mean: Array(channels).fill(0.5), std: Array(channels).fill(0.5) } },
  "drop_path 0.1": { dropPath: 0.1 },
});

const OF_MAE: Fields = {
  norm_pix_loss: { normPixLoss: true },
  "masking block": { masking: "block" },
  "masking grid": { masking: "grid" },
};

const OF_CLASSIFIER: Fields = {
  "cls_token, pool cls": { clsToken: true, pool: "cls" },
  fc_norm: { fcNorm: true },
};

/** Milliseconds of a step without a field and with it. */
interface Pair {
  readonly plain: number;
  readonly field: number;
}

/** The steps of a field. */
interface FieldCost {
  readonly model: Architecture["model"];
  readonly field: string;
  readonly plain_ms: number;
  readonly ms: number;
  readonly ratio: number;
  /** Threads that compute. */
  readonly threads: number;
  /** Why the planner does not run the step, if it does not. */
  readonly note?: string;
}

async function open(
  subject: Subject,
  config: MaeConfig,
  architecture: Architecture,
): Promise<Stepper> {
  const { threads, vectorBits, batch, backend } = subject, specs = parameterSpecs(config, architecture);
  const compute = { ...loadSettings({ UNMASK_THREADS: String(threads) }).compute, vectorBits };
  const { planner } = await selectBackend(backend, compute);
  return openStepper({
    task: { config, architecture, seed: 0 },
    trainable: specs,
    frozen: new Map(),
    weights: drawWeights(specs, 0),
    optimizer: { weightDecay: 0.05, betas: [0.9, 0.95], eps: 1e-8 },
    batchSize: batch,
    threads,
  }, planner);
}

/** Runs steps in turn. @returns the fastest step of each in milliseconds: other programs only add to it */
async function alternate(
  steppers: Readonly<Record<keyof Pair, Stepper>>,
  pixels: Float32Array,
  images: number,
  steps: number,
): Promise<Pair> {
  const fastest = { plain: Infinity, field: Infinity }, labels = new Int32Array(images);
  for (let step = 0; step < steps + 2; step++) {
    for (const name of ["plain", "field"] as const) {
      const run = await steppers[name].prepare({ pixels, labels }, 0, step), start = performance.now();
      await run(1.5e-4);
      // The first steps compile the kernels.
      if (step >= 2) fastest[name] = Math.min(fastest[name], performance.now() - start);
    }
  }
  return fastest;
}

/** Measures the steps of a model with each field, against those without. */
export async function fields(options: BenchOptions): Promise<object> {
  const subject = subjectOf(options), steps = integerOption(options, "steps"), { batch } = subject;
  const base: MaeConfig = { ...MODELS[subject.model], ...PLAIN };
  const pixels = uniform({ seed: 1, purpose: "bench" }, batch * imageDim(base)), costs: FieldCost[] = [];
  const kinds = [[{ model: "mae" }, OF_MAE], [{ model: "classifier", classes: 10 }, OF_CLASSIFIER]] as const;
  for (const [architecture, own] of kinds) {
    for (const [field, values] of Object.entries({ ...SHARED(base.inChannels), ...own })) {
      const plain = await open(subject, base, architecture);
      const changed = await open(subject, { ...base, ...values }, architecture);
      const times = await alternate({ plain, field: changed }, pixels, batch, steps),
        { threads, note } = changed;
      costs.push({
        model: architecture.model,
        field,
        plain_ms: round(times.plain, 2),
        ms: round(times.field, 2),
        ratio: round(times.field / times.plain, 3),
        threads,
        ...(note === null ? {} : { note }),
      });
      await Promise.all([plain.dispose(), changed.dispose()]);
    }
  }
  return { ...subject, fields: costs };
}
