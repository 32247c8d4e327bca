/**
 * A fault of the kernels.
 *
 * @module
 */

/** Lets the optimiser's kernel trap in this thread, in which the steps of a linear probe run, until it is disposed. */
export class Trap implements Disposable {
  readonly error = new WebAssembly.RuntimeError("memory access out of bounds");
  readonly #original = WebAssembly.Instance;

  /** @param isArmed whether a call of the kernel traps */
  constructor(isArmed: () => boolean = () => true) {
    const Instance = this.#original, { error } = this;
    WebAssembly.Instance = class {
      readonly exports: WebAssembly.Exports;
      constructor(module: WebAssembly.Module, imports: WebAssembly.Imports) {
        const kernels = new Instance(module, imports).exports;
        const adamw = (...args: number[]) => {
          if (isArmed()) throw error;
          (kernels.adamw as (...args: number[]) => void)(...args);
        };
        this.exports = { ...kernels, adamw };
      }
    } as typeof WebAssembly.Instance;
  }

  [Symbol.dispose](): void {
    WebAssembly.Instance = this.#original;
  }
}
