/**
 * Compute programs (shaders) in WGSL.
 *
 * @module
 */

/** Type of a buffer's elements. */
export type Element = "f32" | "i32" | "u32" | "vec4<f32>" | "vec4<u32>";

/** The parts of a program. */
export interface ProgramSource {
  /** For error messages. */
  readonly name: string;
  /** Element types of the output buffers by name, in the order of the outputs. */
  readonly writes: Readonly<Record<string, Element>>;
  /** Element types of the input buffers by name, in the order of the inputs. */
  readonly reads: Readonly<Record<string, Element>>;
  /** Types of the uniforms by name, in their order. The program reads them as `u.NAME`. */
  readonly uniforms: Readonly<Record<string, "u32" | "f32">>;
  /** Number of threads of a workgroup, a power of two. */
  readonly threads: number;
  /** Declarations before `main`. */
  readonly shared?: string;
  /** Body of `main`. In scope: `thread` (index in the workgroup) and `group`, which may exceed the last workgroup. */
  readonly body: string;
}

/** A program with its WGSL code. */
export interface Program extends ProgramSource {
  readonly code: string;
}

/** One dispatch of a program, without its buffers. */
export interface Call {
  readonly program: Program;
  /** In the order of the program's `uniforms`. */
  readonly uniforms: readonly number[];
  /** Number of workgroups. */
  readonly groups: number;
  /** Floating-point operations of matrix products, two for each multiply-add. @default 0 */
  readonly flops?: number;
}

/** Generates the WGSL code of a program. */
export function program(source: ProgramSource): Program {
  const { writes, reads, uniforms, threads, shared = "", body } = source;
  const buffers = [
    ...Object.entries(writes).map(([name, element]) =>
      `var<storage, read_write> ${name}: array<${element}>;`
    ),
    ...Object.entries(reads).map(([name, element]) => `var<storage, read> ${name}: array<${element}>;`),
    "var<uniform> u: Uniforms;",
  ].map((text, binding) => `@group(0) @binding(${binding}) ${text}`);
  const code = `
struct Uniforms { ${Object.entries(uniforms).map(([name, type]) => `${name}: ${type}`).join(", ")} }
${buffers.join("\n")}
${shared}
@compute @workgroup_size(${threads})
fn main(
  @builtin(local_invocation_index) thread: u32,
  @builtin(workgroup_id) workgroup: vec3<u32>,
  @builtin(num_workgroups) workgroups: vec3<u32>,
) {
  let group = workgroup.y * workgroups.x + workgroup.x;
${body}
}`;
  return { ...source, code };
}

/** Number of threads of a workgroup of {@linkcode elementwise}. */
export const ELEMENT_THREADS = 256;

/** Returns a program with one thread for each of `u.size` elements. @param source its body uses the index `i` */
export function elementwise(source: Omit<ProgramSource, "threads">): Program {
  return program({
    ...source,
    uniforms: { size: "u32", ...source.uniforms },
    threads: ELEMENT_THREADS,
    body: `  let i = group * ${ELEMENT_THREADS}u + thread;
  if (i >= u.size) { return; }
${source.body}`,
  });
}

/** Returns a call of a program of {@linkcode elementwise} for `size` elements. */
export function elementCall(program: Program, size: number, uniforms: readonly number[] = []): Call {
  return { program, uniforms: [size, ...uniforms], groups: Math.ceil(size / ELEMENT_THREADS) };
}
