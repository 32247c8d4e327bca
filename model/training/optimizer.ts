/**
 * AdamW over all trainable parameters, which lie in a few flat buffers: a step is a few large operations instead of a
 * dozen small ones a tensor, and no operation needs a copy of a whole large model.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { adamw } from "../ops/adamw.ts";
import { native } from "../ops/native.ts";
import { type Shape, sizeOf } from "../shape.ts";
import type { Weights } from "../transformer.ts";
import type { HostTensor, HostWeights, ParameterSpec } from "../weights.ts";

/** AdamW's constants; PyTorch's names. */
export interface AdamWOptions {
  readonly weightDecay: number;
  readonly betas: readonly [number, number];
  readonly eps: number;
}

/** Moments of AdamW by parameter name, and the count of steps done. */
export interface OptimizerState {
  readonly step: number;
  readonly expAvg: HostWeights;
  readonly expAvgSq: HostWeights;
}

/** Values of a buffer that several parameters share; a larger parameter has one of its own, and is never copied. */
const GROUP_SIZE = 2 ** 20;

/** Parameters that lie one behind the other, and their moments; each `[size]`. */
interface Group {
  readonly specs: readonly ParameterSpec[];
  params: tf.Tensor1D;
  expAvg: tf.Tensor1D;
  expAvgSq: tf.Tensor1D;
}

const valuesOf = (specs: readonly ParameterSpec[]) =>
  specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0);

/** Cuts parameters, in their order, into groups. */
function grouped(specs: readonly ParameterSpec[]): ParameterSpec[][] {
  const groups: ParameterSpec[][] = [];
  for (const spec of specs) {
    const last = groups.at(-1);
    if (last && valuesOf(last) + sizeOf(spec.shape) <= GROUP_SIZE) last.push(spec);
    else groups.push([spec]);
  }
  return groups;
}

/** One behind the other; bare where there is only one, since reshaping copies nothing. */
function joined(tensors: readonly tf.Tensor[]): tf.Tensor1D {
  const flat = () => tensors.map((tensor) => tf.reshape(tensor, [-1]) as tf.Tensor1D);
  if (tensors.length === 1) return flat()[0];
  return native().flat?.join(tensors) ?? tf.concat(flat());
}

/** The opposite of {@linkcode joined}. */
function parted(flat: tf.Tensor1D, shapes: readonly Shape[]): tf.Tensor[] {
  if (shapes.length === 1) return [tf.reshape(flat, [...shapes[0]])];
  return native().flat?.split(flat, shapes) ??
    tf.split(flat, shapes.map(sizeOf)).map((part, i) => tf.reshape(part, [...shapes[i]]));
}

/** Trainable parameters and their AdamW state on the backend. Dispose it when done. */
export class AdamW {
  readonly #options: AdamWOptions;
  readonly #groups: Group[];
  #step: number;
  #views: tf.Tensor[] = [];

  /** @param weights holds every parameter of `specs` */
  constructor(
    specs: readonly ParameterSpec[],
    weights: HostWeights,
    options: AdamWOptions,
    state?: OptimizerState,
  ) {
    this.#options = options;
    this.#groups = grouped(specs).map((specs) => ({
      specs,
      params: flatten(specs, weights),
      expAvg: state ? flatten(specs, state.expAvg) : tf.zeros([valuesOf(specs)]),
      expAvgSq: state ? flatten(specs, state.expAvgSq) : tf.zeros([valuesOf(specs)]),
    }));
    this.#step = state?.step ?? 0;
    this.#split();
  }

  /** The parameters, in the order of the specs. Valid until the next step. */
  get tensors(): readonly tf.Tensor[] {
    return this.#views;
  }

  /** Optimiser steps done. */
  get stepsDone(): number {
    return this.#step;
  }

  /** Gives tensors in the order of the specs their names. */
  name(tensors: readonly tf.Tensor[]): Weights {
    const specs = this.#groups.flatMap((group) => group.specs);
    return Object.fromEntries(specs.map(({ name }, i) => [name, tensors[i]]));
  }

  /** Gradients in the order of the specs as `step` takes them: a flat one `[size]` for each group. */
  gather(gradients: readonly tf.Tensor[]): tf.Tensor1D[] {
    let at = 0;
    return this.#groups.map(({ specs }) => joined(gradients.slice(at, at += specs.length)));
  }

  /** One step. @param gradients as `gather` gives them */
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

  /** Parameters on the host. */
  weights(): Promise<Map<string, HostTensor>> {
    return this.#read((group) => group.params);
  }

  /** Moments on the host, enough to continue bit for bit. */
  async state(): Promise<OptimizerState> {
    return {
      step: this.#step,
      expAvg: await this.#read((group) => group.expAvg),
      expAvgSq: await this.#read((group) => group.expAvgSq),
    };
  }

  /** Frees everything on the backend. */
  dispose(): void {
    tf.dispose(this.#views);
    for (const { params, expAvg, expAvgSq } of this.#groups) tf.dispose([params, expAvg, expAvgSq]);
  }

  #split(): void {
    this.#views = tf.tidy(() =>
      this.#groups.flatMap(({ specs, params }) => parted(params, specs.map(({ shape }) => shape)))
    );
  }

  async #read(part: (group: Group) => tf.Tensor1D): Promise<Map<string, HostTensor>> {
    const read = new Map<string, HostTensor>();
    for (const group of this.#groups) {
      const values = await part(group).data() as Float32Array<ArrayBuffer>;
      let at = 0;
      for (const { name, shape } of group.specs) {
        read.set(name, { shape, data: values.slice(at, at += sizeOf(shape)) });
      }
    }
    return read;
  }
}

function flatten(specs: readonly ParameterSpec[], weights: HostWeights): tf.Tensor1D {
  const flat = new Float32Array(valuesOf(specs));
  let at = 0;
  for (const { name, shape } of specs) {
    flat.set(weights.get(name)!.data, at);
    at += sizeOf(shape);
  }
  return tf.tensor1d(flat);
}
