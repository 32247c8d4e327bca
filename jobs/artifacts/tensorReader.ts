/**
 * Reads tensors of a stored checkpoint by name in one pass over its file.
 *
 * @module
 */
import { createHash } from "node:crypto";
import type { ObjectStore } from "../../data/objects/store.ts";
import type { Tensor } from "../../data/safetensors/dtype.ts";
import { openStoredTensors, type StoredTensors } from "../../data/safetensors/storedTensors.ts";
import { WeightsError } from "../../model/checkWeights.ts";
import type { HostTensor } from "../../model/weights.ts";
import type { Checkpoint } from "../job.ts";
import { float32Tensor } from "./float32.ts";

/**
 * An open file. A tensor is in memory until it has been taken as often as it is needed. The memory is small if tensors
 * are taken in the order of the file.
 */
export class TensorReader implements AsyncDisposable {
  readonly #file: StoredTensors;
  readonly #stream: AsyncGenerator<[name: string, tensor: Tensor], void>;
  readonly #digest: () => string;
  readonly #sha256: string;
  readonly #held = new Map<string, HostTensor>();
  readonly #uses = new Map<string, number>();

  private constructor(file: StoredTensors, digest: () => string, sha256: string) {
    this.#file = file;
    this.#stream = file.read();
    this.#digest = digest;
    this.#sha256 = sha256;
  }

  /**
   * Opens the file of a checkpoint.
   *
   * @param needed the names of every call of {@linkcode take}
   * @param signal cancels the reading
   * @throws {ObjectNotFoundError} @throws {SafetensorsError}
   */
  static async open(
    store: ObjectStore,
    { objectKey, sha256 }: Pick<Checkpoint, "objectKey" | "sha256">,
    needed: Iterable<readonly string[]>,
    signal?: AbortSignal,
  ): Promise<TensorReader> {
    const hash = createHash("sha256");
    const file = await openStoredTensors(store, objectKey, (bytes) => hash.update(bytes), signal);
    const reader = new TensorReader(file, () => hash.digest("hex"), sha256);
    for (const names of needed) {
      for (const name of names) reader.#uses.set(name, (reader.#uses.get(name) ?? 0) + 1);
    }
    return reader;
  }

  /** Returns tensors. @throws {SafetensorsError} @throws {WeightsError} when the file is damaged */
  async take(names: readonly string[]): Promise<HostTensor[]> {
    const tensors: HostTensor[] = [];
    for (const name of names) {
      while (!this.#held.has(name)) await this.#readNext(name);
      tensors.push(this.#held.get(name)!);
      const uses = this.#uses.get(name)! - 1;
      this.#uses.set(name, uses);
      if (uses === 0) this.#held.delete(name);
    }
    return tensors;
  }

  /** Reads the rest of the file. @throws {WeightsError} when its digest is not the recorded one */
  async finish(): Promise<void> {
    while (!(await this.#stream.next()).done);
    if (this.#digest() !== this.#sha256) throw new WeightsError("Its SHA-256 is not the recorded one");
  }

  async #readNext(wanted: string): Promise<void> {
    const { done, value } = await this.#stream.next();
    if (done) throw new WeightsError(`The tensor '${wanted}' is missing`);
    const [name, stored] = value, tensor = float32Tensor(name, stored);
    if (this.#uses.get(name)) this.#held.set(name, tensor);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#file[Symbol.asyncDispose]();
  }
}
