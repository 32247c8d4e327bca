/**
 * Building blocks of generated source text.
 *
 * @module
 */

/** 0 … count - 1. */
export const range = (count: number): number[] => Array.from({ length: count }, (_, i) => i);

/** Joins lines of source. */
export const lines = (...parts: (string | string[])[]): string => parts.flat().join("\n");
