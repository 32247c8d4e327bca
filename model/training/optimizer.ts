/**
 * AdamW over all trainable parameters. Small parameters share flat buffers, so that a step is a few large operations
 * instead of a dozen small ones for each parameter. The size of a buffer is limited, so that no operation copies the
 * whole model.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { adamw } from "../ops/adamw.ts";
import { native } from "../ops/native.ts";
import { type Shape, sizeOf } from "../shape.ts";
import type { Weights } from "../transformer.ts";
import type { HostTensor, HostWeights, ParameterSpec } from "../weights.ts";

/** Options of AdamW, with PyTorch's names. */
export interface AdamWOptions {
  readonly weightDecay: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
}

/** Moments of AdamW by parameter name, and the number of completed steps. */
export interface OptimizerState {
  readonly step: number;
  readonly expAvg: HostWeights;
  readonly expAvgSq: HostWeights;
}

/** Maximum number of values of a shared buffer. A larger parameter gets a separate buffer and is never copied. */
const MAX_GROUP_SIZE = 2 ** 20;

/** Parameters in one flat buffer, and their moments; each `[size]`. */
interface Group {
  readonly specs: readonly ParameterSpec[];
  params: tf.Tensor1D;
  expAvg: tf.Tensor1D;
  expAvgSq: tf.Tensor1D;
}

const totalSize = (specs: readonly ParameterSpec[]) =>
  specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);

/** Divides parameters, in their order, into groups. */
function groupSpecs(specs: readonly ParameterSpec[]): ParameterSpec[][] {
  const groups: ParameterSpec[][] = [];
  for (const spec of specs) {
    const last = groups.at(-1);
    if (last && totalSize(last) + sizeOf(spec.shape) <= MAX_GROUP_SIZE) last.push(spec);
    else groups.push([spec]);
  }
  return groups;
}

/** Concatenates the values of tensors. A single tensor is reshaped, which copies nothing. */
function concatFlat(tensors: readonly tf.Tensor[]): tf.Tensor1D {
  const flat = () => tensors.map((tensor) => tf.reshape(tensor, [-1]) as tf.Tensor1D);
  if (tensors.length === 1) return flat()[0];
  return native().flat?.concat(tensors) ?? tf.concat(flat());
}

/** The inverse of {@linkcode concatFlat}. */
function splitFlat(flat: tf.Tensor1D, shapes: readonly Shape[]): tf.Tensor[] {
  if (shapes.length === 1) return [tf.reshape(flat, [...shapes[0]])];
  return native().flat?.split(flat, shapes) ??
    tf.split(flat, shapes.map(sizeOf)).map((part, i) => tf.reshape(part, [...shapes[i]]));
}

/** Trainable parameters and their AdamW state on the backend. The caller disposes it. */
export class AdamW {
  readonly #options: AdamWOptions;
  readonly #groups: Group[];
  #step: number;
  #views: tf.Tensor[] = [];

  /**
   * @param weights initial values of every parameter in `specs`
   * @param state continues from these moments instead of zeros
   */
  constructor(
    specs: readonly ParameterSpec[],
    weights: HostWeights,
    options: AdamWOptions,
    state?: OptimizerState,
  ) {
    this.#options = options;
    this.#groups = groupSpecs(specs).map((specs) => ({
      specs,
      params: upload(specs, weights),
      expAvg: state ? upload(specs, state.expAvg) : tf.zeros([totalSize(specs)]),
      expAvgSq: state ? upload(specs, state.expAvgSq) : tf.zeros([totalSize(specs)]),
    }));
    this.#step = state?.step ?? 0;
    this.#split();
  }

  /** The parameters, in the order of the specs. Valid until the next step. */
  get tensors(): readonly tf.Tensor[] {
    return this.#views;
  }

  /** Returns tensors, which are in the order of the specs, by parameter name. */
  byName(tensors: readonly tf.Tensor[]): Weights {
    const specs = this.#groups.flatMap((group) => group.specs);
    return Object.fromEntries(specs.map(({ name }, i) => [name, tensors[i]]));
  }

  /** Concatenates gradients, which are in the order of the specs, to one flat gradient for each group. */
  flatten(gradients: readonly tf.Tensor[]): tf.Tensor1D[] {
    let first = 0;
    return this.#groups.map(({ specs }) => concatFlat(gradients.slice(first, first += specs.length)));
  }

  /** Runs one step. @param gradients the result of `flatten` */
  step(gradients: readonly tf.Tensor1D[], lr: number): void {
    this.#step++;
    tf.dispose(this.#views);
    const step = { ...this.#options, lr, step: this.#step };
    this.#groups.forEach((group, i) => {
      const old = [group.params, group.expAvg, group.expAvgSq];
      [group.params, group.expAvg, group.expAvgSq] = adamw(
        group.params,
        gradients[i],
        group.expAvg,
        group.expAvgSq,
        step,
      );
      tf.dispose(old);
    });
    this.#split();
  }

  /** Copies the parameters to the host. */
  weights(): Promise<Map<string, HostTensor>> {
    return this.#read((group) => group.params);
  }

  /** Copies the optimiser state to the host. */
  async state(): Promise<OptimizerState> {
    return {
      step: this.#step,
      expAvg: await this.#read((group) => group.expAvg),
      expAvgSq: await this.#read((group) => group.expAvgSq),
    };
  }

  /** Frees all tensors. */
  dispose(): void {
    tf.dispose(this.#views);
    for (const { params, expAvg, expAvgSq } of this.#groups) tf.dispose([params, expAvg, expAvgSq]);
  }

  #split(): void {
    this.#views = tf.tidy(() =>
      this.#groups.flatMap(({ specs, params }) => splitFlat(params, specs.map(({ shape }) => shape)))
    );
  }

  async #read(tensorOf: (group: Group) => tf.Tensor1D): Promise<Map<string, HostTensor>> {
    const read = new Map<string, HostTensor>();
    for (const group of this.#groups) {
      const values = await tensorOf(group).data() as Float32Array<ArrayBuffer>;
      let offset = 0;
      for (const { name, shape } of group.specs) {
        read.set(name, { shape, data: values.slice(offset, offset += sizeOf(shape)) });
      }
    }
    return read;
  }
}

/** Copies the values of parameters to one flat tensor. */
function upload(specs: readonly ParameterSpec[], weights: HostWeights): tf.Tensor1D {
  const flat = new Float32Array(totalSize(specs));
  let offset = 0;
  for (const { name, shape } of specs) {
    flat.set(weights.get(name)!.data, offset);
    offset += sizeOf(shape);
  }
  return tf.tensor1d(flat);
}
