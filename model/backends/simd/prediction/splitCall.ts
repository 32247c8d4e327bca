/**
 * Divides kernel calls among threads that compute one forward pass together. A part computes some of the rows of the
 * result. The rows do not depend on each other, so the bits do not depend on the number of threads.
 *
 * @module
 */
import { LANES, MR, WIDE_NC } from "../assembly/blockSizes.ts";
import type { KernelName } from "../instance.ts";
import type { KernelCall } from "../plan/compile.ts";

/** The rows of a kernel call. */
interface Rows {
  readonly count: number;
  /** Indices of the arguments with their number. @default [0] */
  readonly counts?: readonly number[];
  /** Indices of the arguments with the index of the first row. @default [] */
  readonly firsts?: readonly number[];
  /** Each part except the last one has a multiple of this number of rows. */
  readonly multiple: number;
  /** Number of values that a row counts for. @default 1 */
  readonly unit?: number;
  /** Bytes per row at the address in an argument, by the index of the argument. */
  readonly strides: Readonly<Record<number, number>>;
}

/** Maximum number of rows of a matrix product that is divided by columns. */
const MAX_COLUMN_ROWS = 1024;

/** Returns the rows of a call, from its arguments. Kernels that are missing here are not divided. */
const ROWS: Partial<Record<KernelName, (...args: number[]) => Rows>> = {
  gemm: (m, n, k) => ({ count: m, multiple: MR, strides: { 3: 4 * k, 7: 4 * n, 9: 4 * n } }),
  // Rows are columns of C.
  gemmColumns: (_m, n, _k, _a, _b, _rsB, csB) => ({
    count: n,
    counts: [1],
    multiple: WIDE_NC,
    strides: { 4: csB, 7: 4, 9: 4, 10: 4 },
  }),
  layerNorm: (m, n) => ({
    count: m,
    multiple: 4,
    strides: { 2: 4 * n, 5: 4 * n, 6: 4 * n, 7: 4 },
  }),
  // Sixteen values: a cache line.
  gelu: (n) => ({ count: n, multiple: 16, strides: { 1: 4, 2: 4, 3: 4 } }),
  add: (n, period) => {
    const isWhole = n === period, unit = isWhole ? 1 : period, row = 4 * unit;
    const strides = { 2: row, 3: isWhole ? row : 0, 4: row };
    return { count: n / unit, counts: isWhole ? [0, 1] : [0], multiple: isWhole ? 16 : 1, unit, strides };
  },
  // Rows are heads, and `LANES` of them are computed together.
  attention: (_first, count, tokens) => ({
    count,
    counts: [1],
    firsts: [0],
    multiple: LANES,
    strides: { 7: 4 * tokens * (tokens + 1) },
  }),
  gatherRows: (m, n) => ({ count: m, multiple: 1, strides: { 4: 4, 5: 4 * n } }),
  meanPool: (batch, tokens, _first, _count, n) => ({
    count: batch,
    multiple: 1,
    strides: { 5: 4 * tokens * n, 6: 4 * n },
  }),
};

/**
 * Returns the part of a call that a thread computes, or null where it has none. A call that cannot be divided is the
 * first thread's.
 */
export function splitCall(call: KernelCall, thread: number, threads: number): KernelCall | null {
  const [name, ...args] = byColumns(call, threads), rows = ROWS[name]?.(...args);
  if (!rows) return thread === 0 ? [name, ...args] : null;
  const { count, counts = [0], firsts = [], multiple, unit = 1, strides } = rows;
  const boundary = (thread: number) =>
    thread === threads ? count : Math.min(count, Math.round(count / multiple * thread / threads) * multiple);
  const first = boundary(thread), size = boundary(thread + 1) - first;
  if (size === 0) return null;
  const part = args.map((value, i) => value && strides[i] ? value + first * strides[i] : value);
  for (const i of counts) part[i] = size * unit;
  for (const i of firsts) part[i] += first;
  return [name, ...part];
}

/**
 * Returns a matrix product that is divided by columns, where C has few rows: each thread then packs its own columns of B
 * and not all of B. Other calls are unchanged.
 */
function byColumns(call: KernelCall, threads: number): KernelCall {
  const [name, m, n, k, a, b, rsB, csB, c, ...rest] = call;
  if (name !== "gemm" || m > MAX_COLUMN_ROWS || n < threads * WIDE_NC) return call;
  return ["gemmColumns", m, n, k, a, b, rsB, csB, c, 4 * n, ...rest];
}
