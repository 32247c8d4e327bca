/**
 * A transform for the AssemblyScript compiler, which has no option for memories with 64-bit addresses.
 *
 * @module
 */

/** `Target.Wasm64` of AssemblyScript. */
const WASM64 = 2;

/** Pages of 64 KiB in 16 GiB, the most that V8 allows for a memory. */
const MAX_PAGES = 2 ** 18;

/** Internal name of the memory in modules that AssemblyScript emits. */
const MEMORY = "0";

/** A reference to an object of the compiler. */
type Ref = number;

/** The members of Binaryen that the transform uses. */
interface Binaryen {
  readonly Features: { readonly Memory64: number };
  readonly i32: Ref;
  readonly i64: Ref;
  readonly f64: Ref;
  readonly none: Ref;
  createType(types: Ref[]): Ref;
  expandType(type: Ref): Ref[];
  getExportInfo(ref: Ref): { name: string; value: string };
  getFunctionInfo(ref: Ref): { params: Ref };
}

/** The members of a Binaryen module that the transform uses. */
interface Module {
  readonly local: { get(index: number, type: Ref): Ref };
  readonly i64: { readonly trunc_u: { f64(value: Ref): Ref } };
  call(name: string, operands: Ref[], result: Ref): Ref;
  getFeatures(): number;
  setFeatures(features: number): void;
  setMemory(
    initial: number,
    maximum: number,
    exportName: string | null,
    segments: [],
    shared: boolean,
    memory64: boolean,
    name: string,
  ): void;
  addMemoryImport(name: string, module: string, base: string, shared: boolean): void;
  getNumExports(): number;
  getExportByIndex(index: number): Ref;
  removeExport(name: string): void;
  addFunctionExport(name: string, exportName: string): void;
  getFunction(name: string): Ref;
  addFunction(name: string, params: Ref, results: Ref, locals: Ref[], body: Ref): void;
}

/**
 * Compiles for a shared memory with 64-bit addresses: `usize` has 64 bits. JavaScript passes an address as a number, as
 * for the other builds. An exported function takes it as a `f64`, which is exact up to 2^53, and converts it.
 */
export class Memory64 {
  declare readonly program: {
    readonly options: { target: number; readonly sizeTypeRef: Ref };
    readonly module: { sizeType: Ref };
  };
  declare readonly binaryen: Binaryen;

  /** Sets the target before the types are resolved. */
  afterParse(): void {
    const { options, module } = this.program;
    options.target = WASM64;
    module.sizeType = options.sizeTypeRef;
  }

  /** Declares the memory, and converts the addresses that the exported functions take. */
  afterCompile(module: Module): void {
    module.setFeatures(module.getFeatures() | this.binaryen.Features.Memory64);
    module.setMemory(1, MAX_PAGES, null, [], true, true, MEMORY);
    module.addMemoryImport(MEMORY, "env", "memory", true);
    const exports = Array.from(
      { length: module.getNumExports() },
      (_, i) => this.binaryen.getExportInfo(module.getExportByIndex(i)),
    );
    for (const { name, value } of exports) this.#convertAddresses(module, name, value);
  }

  #convertAddresses(module: Module, exportName: string, name: string): void {
    const { i64, f64, none, createType, expandType, getFunctionInfo } = this.binaryen;
    const types = expandType(getFunctionInfo(module.getFunction(name)).params);
    const operands = types.map((type, i) =>
      type === i64 ? module.i64.trunc_u.f64(module.local.get(i, f64)) : module.local.get(i, type)
    );
    const params = createType(types.map((type) => type === i64 ? f64 : type));
    const adapter = `${name}/export`;
    module.addFunction(adapter, params, none, [], module.call(name, operands, none));
    module.removeExport(exportName);
    module.addFunctionExport(adapter, exportName);
  }
}
