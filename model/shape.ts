/**
 * Shapes of tensors.
 *
 * @module
 */

/** Lengths of a tensor's axes. */
export type Shape = readonly number[];

/** Number of values of a tensor. */
export const sizeOf = (shape: Shape): number => shape.reduce((product, length) => product * length, 1);
