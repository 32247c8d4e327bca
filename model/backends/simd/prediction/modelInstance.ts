/**
 * A model in one thread: the kernels on its memory, and the programs that call them.
 *
 * @module
 */
import { instantiate, type Kernels } from "../instance.ts";
import type { ChunkRun, Program } from "./messages.ts";

/** A program whose calls are bound to the kernels. */
interface BoundProgram extends Omit<Program, "calls"> {
  readonly calls: readonly ((() => void) | null)[];
}

/** The kernels on the memory of a model. */
export class ModelInstance {
  readonly #memory: WebAssembly.Memory;
  readonly #kernels: Kernels;
  readonly #programs = new Map<string, BoundProgram>();

  /** Instantiates the kernels. */
  constructor(module: WebAssembly.Module, memory: WebAssembly.Memory) {
    this.#memory = memory;
    this.#kernels = instantiate(module, memory);
  }

  /** Adds a program. */
  add(key: string, program: Program): void {
    // A closure for each call, because V8 optimises a call site with a single target best.
    const calls = program.calls.map((call) => {
      if (!call) return null;
      const [name, ...args] = call, kernel = this.#kernels[name];
      return () => kernel(...args);
    });
    this.#programs.set(key, { ...program, calls });
  }

  /** Removes all programs. */
  forget(): void {
    this.#programs.clear();
  }

  /**
   * Runs a chunk: copies its inputs to the feeds, makes the calls, and copies the output to its results.
   *
   * @param thread index of this thread
   * @param wait returns when all threads have arrived
   */
  run({ program, input, output }: ChunkRun, thread: number, wait: () => void): void {
    const bound = this.#programs.get(program)!, bytes = new Uint8Array(this.#memory.buffer);
    const copies = !bound.together || thread === 0;
    if (copies) bytes.copyWithin(bound.feeds, input, input + bound.feedBytes);
    for (const call of bound.calls) {
      if (bound.together) wait();
      call?.();
    }
    if (bound.together) wait();
    if (copies) bytes.copyWithin(output, bound.output, bound.output + bound.outputBytes);
  }
}
