/** Rounds a figure for output. */
export const round = (value: number, digits = 1): number => Number(value.toFixed(digits));
