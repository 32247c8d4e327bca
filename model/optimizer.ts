/**
 * AdamW over all trainable parameters, which lie in one flat buffer: a step is a few large operations instead of a
 * dozen small ones a tensor.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import { adamw } from "./ops/adamw.ts";
import type { Weights } from "./transformer.ts";
import type { HostTensor, HostWeights, ParameterSpec } from "./weights.ts";

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

const sizeOf = (shape: readonly number[]) => shape.reduce((product, length) => product * length, 1);

/** Trainable parameters and their AdamW state on the backend. Dispose it when done. */
export class AdamW {
  readonly #specs: readonly ParameterSpec[];
  readonly #options: AdamWOptions;
  #params: tf.Tensor1D;
  #expAvg: tf.Tensor1D;
  #expAvgSq: tf.Tensor1D;
  #step: number;
  #views: tf.Tensor[] = [];

  /** @param weights holds every parameter of `specs` */
  constructor(
    specs: readonly ParameterSpec[],
    weights: HostWeights,
    options: AdamWOptions,
    state?: OptimizerState,
  ) {
    this.#specs = specs;
    this.#options = options;
    this.#params = this.#flatten(weights);
    const size = this.#params.size;
    this.#expAvg = state ? this.#flatten(state.expAvg) : tf.zeros([size]);
    this.#expAvgSq = state ? this.#flatten(state.expAvgSq) : tf.zeros([size]);
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
    return Object.fromEntries(this.#specs.map(({ name }, i) => [name, tensors[i]]));
  }

  /** One step. @param gradient `[size]`: all gradients one behind the other, in the order of the specs */
  step(gradient: tf.Tensor1D, lr: number): void {
    this.#step++;
    const old = [this.#params, this.#expAvg, this.#expAvgSq, ...this.#views];
    [this.#params, this.#expAvg, this.#expAvgSq] = adamw(
      this.#params,
      gradient,
      this.#expAvg,
      this.#expAvgSq,
      {
        ...this.#options,
        lr,
        step: this.#step,
      },
    );
    this.#split();
    tf.dispose(old);
  }

  /** Parameters on the host. */
  weights(): Promise<Map<string, HostTensor>> {
    return this.#read(this.#params);
  }

  /** Moments on the host, enough to continue bit for bit. */
  async state(): Promise<OptimizerState> {
    return {
      step: this.#step,
      expAvg: await this.#read(this.#expAvg),
      expAvgSq: await this.#read(this.#expAvgSq),
    };
  }

  /** Frees everything on the backend. */
  dispose(): void {
    tf.dispose([this.#params, this.#expAvg, this.#expAvgSq, ...this.#views]);
  }

  #flatten(weights: HostWeights): tf.Tensor1D {
    const flat = new Float32Array(this.#specs.reduce((sum, { shape }) => sum + sizeOf(shape), 0));
    let at = 0;
    for (const { name, shape } of this.#specs) {
      flat.set(weights.get(name)!.data, at);
      at += sizeOf(shape);
    }
    return tf.tensor1d(flat);
  }

  #split(): void {
    const sizes = this.#specs.map(({ shape }) => sizeOf(shape));
    this.#views = tf.tidy(() =>
      tf.split(this.#params, sizes).map((part, i) => tf.reshape(part, [...this.#specs[i].shape]))
    );
  }

  async #read(flat: tf.Tensor1D): Promise<Map<string, HostTensor>> {
    const values = await flat.data() as Float32Array<ArrayBuffer>;
    let at = 0;
    return new Map(this.#specs.map(({ name, shape }) => {
      const data = values.slice(at, at += sizeOf(shape));
      return [name, { shape, data }];
    }));
  }
}
