/**
 * The parameters of a training and AdamW's moments on a device.
 *
 * @module
 */
import type { Shape } from "../../../shape.ts";
import { momentKey, type StoredOptimizer } from "../../../training/storedState.ts";
import { distribute, type HostTensor, type ParameterSpec, type TensorStream } from "../../../weights.ts";
import { readBuffer } from "../readBuffer.ts";
import { type FlatLayout, parameterLayout } from "./parameterLayout.ts";

type Write = (tensor: HostTensor) => void;

/** A flat array that is divided into segments. */
class FlatArray {
  readonly buffers: readonly GPUBuffer[];
  readonly #device: GPUDevice;
  readonly #layout: FlatLayout;

  /** Allocates the array. It is zero. */
  constructor(device: GPUDevice, layout: FlatLayout, label: string) {
    this.#device = device;
    this.#layout = layout;
    const usage = GPUBufferUsage.STORAGE | GPUBufferUsage.COPY_SRC | GPUBufferUsage.COPY_DST;
    this.buffers = layout.segments.map((size) => device.createBuffer({ label, size: 4 * size, usage }));
  }

  write(name: string, { data }: HostTensor): void {
    const { segment, offset, size } = this.#layout.places.get(name)!, { queue } = this.#device;
    queue.writeBuffer(this.buffers[segment], 4 * offset, data as Float32Array<ArrayBuffer>, 0, size);
  }

  async read(specs: readonly ParameterSpec[]): Promise<Map<string, HostTensor>> {
    const values = new Map<string, HostTensor>();
    const segments = [];
    for (const buffer of this.buffers) {
      segments.push(new Float32Array(await readBuffer(this.#device, buffer, buffer.size)));
    }
    for (const { name, shape } of specs) {
      const { segment, offset, size } = this.#layout.places.get(name)!;
      values.set(name, { shape, data: segments[segment].slice(offset, offset + size) });
    }
    return values;
  }

  destroy(): void {
    for (const buffer of this.buffers) buffer.destroy();
  }
}

/** Parameters, trainable and frozen, and the moments of the trainable ones. */
export class Parameters {
  readonly trainable: FlatLayout;
  readonly values: FlatArray;
  readonly expAvg: FlatArray;
  readonly expAvgSq: FlatArray;
  readonly #frozen: FlatLayout;
  readonly #frozenValues: FlatArray;
  readonly #specs: readonly ParameterSpec[];

  /**
   * @param maxBytes size of the largest buffer that a program may bind
   * @throws {PlanError} when a parameter is larger
   */
  constructor(
    device: GPUDevice,
    specs: readonly ParameterSpec[],
    frozen: ReadonlyMap<string, { readonly shape: Shape }>,
    maxBytes: number,
  ) {
    this.#specs = specs;
    this.trainable = parameterLayout(specs.map(({ name, shape }) => [name, shape] as const), maxBytes);
    this.#frozen = parameterLayout([...frozen].map(([name, { shape }]) => [name, shape] as const), maxBytes);
    this.values = new FlatArray(device, this.trainable, "parameters");
    this.expAvg = new FlatArray(device, this.trainable, "first moments");
    this.expAvgSq = new FlatArray(device, this.trainable, "second moments");
    this.#frozenValues = new FlatArray(device, this.#frozen, "frozen parameters");
  }

  /**
   * Writes the parameters, trainable and frozen, and the moments of a training that resumes.
   *
   * @throws {RangeError} when a tensor is missing
   */
  async write(weights: TensorStream, state?: StoredOptimizer): Promise<void> {
    const targets = new Map<string, Write>(), moments = new Map<string, Write>();
    for (const name of this.#frozen.places.keys()) {
      targets.set(name, (tensor) => this.#frozenValues.write(name, tensor));
    }
    for (const name of this.trainable.places.keys()) {
      targets.set(name, (tensor) => this.values.write(name, tensor));
      moments.set(momentKey("exp_avg", name), (tensor) => this.expAvg.write(name, tensor));
      moments.set(momentKey("exp_avg_sq", name), (tensor) => this.expAvgSq.write(name, tensor));
    }
    await distribute(weights, targets);
    if (state) await distribute(state.moments, moments);
  }

  /** Returns the part of a buffer that holds a parameter. */
  binding(name: string): GPUBufferBinding {
    const frozen = this.#frozen.places.get(name);
    const { segment, offset, size } = frozen ?? this.trainable.places.get(name)!;
    const { buffers } = frozen ? this.#frozenValues : this.values;
    return { buffer: buffers[segment], offset: 4 * offset, size: 4 * size };
  }

  /** Copies an array to the host. */
  read(array: FlatArray): Promise<Map<string, HostTensor>> {
    return array.read(this.#specs);
  }

  /** Frees the memory. */
  destroy(): void {
    for (const array of [this.values, this.expAvg, this.expAvgSq, this.#frozenValues]) array.destroy();
  }
}
