/**
 * A call of kernels on random data, and its results by definition.
 *
 * @module
 */
import type { KernelName } from "../../model/backends/simd/instance.ts";

/** A buffer of a call. Inputs keep their values. A result has its values before the call. */
export interface Buffer {
  readonly kind: "input" | "result" | "scratch";
  readonly values: Float32Array | Int32Array;
}

/** Calls of kernels on the same buffers. */
export interface KernelCase {
  /** The sizes, for the message of a failure. */
  readonly sizes: string;
  readonly buffers: Readonly<Record<string, Buffer>>;
  /** Returns the calls, from the addresses of the buffers. */
  calls(at: Readonly<Record<string, number>>): (readonly [KernelName, ...number[]])[];
  /** The expected values of the results. */
  readonly expected: Readonly<Record<string, ArrayLike<number>>>;
}

/** Draws sizes and values. */
export interface Draw {
  /** A size up to a maximum: 1, powers of two, their neighbours and primes. */
  size(max: number): number;
  /** Whole number from 0 to below - 1. */
  below(below: number): number;
  /** Values between -1 and 1. */
  values(length: number): Float32Array;
}

/** An input of a call. */
export const input = (values: Float32Array | Int32Array): Buffer => ({ kind: "input", values });
/** A result of a call, with its values before. */
export const result = (values: Float32Array): Buffer => ({ kind: "result", values });
/** Scratch memory of a call. */
export const scratch = (length: number): Buffer => ({ kind: "scratch", values: new Float32Array(length) });

/** 0 … count - 1. */
export const range = (count: number) => Array.from({ length: count }, (_, i) => i);
/** Sum of the values of 0 … count - 1. */
export const sum = (count: number, value: (i: number) => number) =>
  range(count).reduce((total, i) => total + value(i), 0);

/** Returns the elements of a matrix. */
export const matrix = (m: number, n: number, value: (i: number, j: number) => number) =>
  range(m * n).map((index) => value(Math.floor(index / n), index % n));
