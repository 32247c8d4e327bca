/**
 * Programs of a GPU, in WGSL.
 *
 * @module
 */

/** Type of a buffer's elements. */
export type Element = "f32" | "i32" | "vec4<f32>";

/** A program as it is written. */
export interface ProgramSource {
  /** For error messages. */
  readonly name: string;
  /** Buffers that it writes, by name, in the order of its outputs. */
  readonly writes: Readonly<Record<string, Element>>;
  /** Buffers that it reads, by name, in the order of its inputs. */
  readonly reads: Readonly<Record<string, Element>>;
  /** Numbers, `n.NAME`, in their order. */
  readonly numbers: Readonly<Record<string, "u32" | "f32">>;
  /** Threads of a workgroup; a power of two. */
  readonly threads: number;
  /** Declarations before `main`. */
  readonly shared?: string;
  /** Body of `main`; it knows `thread` (in its workgroup) and `group`, which may be past the last one. */
  readonly body: string;
}

/** A program as the device compiles it. */
export interface Program extends ProgramSource {
  readonly code: string;
}

/** Writes the declarations of a program. */
export function program(source: ProgramSource): Program {
  const { writes, reads, numbers, threads, shared = "", body } = source;
  const buffers = [
    ...Object.entries(writes).map(([name, element]) =>
      `var<storage, read_write> ${name}: array<${element}>;`
    ),
    ...Object.entries(reads).map(([name, element]) => `var<storage, read> ${name}: array<${element}>;`),
    "var<uniform> n: Numbers;",
  ].map((text, at) => `@group(0) @binding(${at}) ${text}`);
  const code = `
struct Numbers { ${Object.entries(numbers).map(([name, type]) => `${name}: ${type}`).join(", ")} }
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

/** Threads of a workgroup of {@linkcode elementwise}. */
export const ELEMENT_THREADS = 256;

/** A program that computes each of `n.size` elements by itself. @param source its body knows the element's index `i` */
export function elementwise(source: Omit<ProgramSource, "threads">): Program {
  return program({
    ...source,
    numbers: { size: "u32", ...source.numbers },
    threads: ELEMENT_THREADS,
    body: `  let i = group * ${ELEMENT_THREADS}u + thread;
  if (i >= n.size) { return; }
${source.body}`,
  });
}
