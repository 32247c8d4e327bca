/**
 * Converts between the camelCase of TypeScript and the snake_case of JSON.
 *
 * @module
 */
import camelcaseKeys, { type CamelCaseKeys } from "camelcase-keys";
import snakecaseKeys from "snakecase-keys";

/** The type of an object with keys in camelCase, at every depth except inside `metadata`. */
export type FromWire<T> = CamelCaseKeys<T & Record<string, unknown>, true>;

/**
 * Converts the keys of JSON to camelCase. Keys inside `metadata` belong to the user and are not changed.
 *
 * @example
 * ```ts
 * import { fromWire } from "./wire.ts";
 *
 * const { batchSize } = fromWire({ batch_size: 64 });
 * ```
 */
export function fromWire<T extends Record<string, unknown>>(value: T): CamelCaseKeys<T, true> {
  return camelcaseKeys(value, { deep: true, stopPaths: ["metadata"] }) as CamelCaseKeys<T, true>;
}

/**
 * Converts keys to the snake_case of JSON. Keys inside `metadata` belong to the user and are not changed.
 *
 * @example
 * ```ts
 * import { toWire } from "./wire.ts";
 *
 * toWire({ batchSize: 64 }); // { batch_size: 64 }
 * ```
 */
export function toWire(value: object): Record<string, unknown> {
  return snakecaseKeys(value as Record<string, unknown>, {
    deep: true,
    exclude: [],
    shouldRecurse: (key: string, value: unknown) =>
      key !== "metadata" && !(value instanceof Date) && !ArrayBuffer.isView(value),
  } as never) as Record<string, unknown>;
}
