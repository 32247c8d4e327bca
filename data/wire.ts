/**
 * The one translation between TypeScript's camelCase and JSON's snake_case.
 *
 * @module
 */
import camelcaseKeys, { type CamelCaseKeys } from "camelcase-keys";
import snakecaseKeys from "snakecase-keys";

/** An object with its keys, at every depth but inside `metadata`, in camelCase. */
export type FromWire<T> = CamelCaseKeys<T & Record<string, unknown>, true>;

/** snake_case JSON into camelCase; what is inside `metadata` is the user's and stays as it is. */
export function fromWire<T extends Record<string, unknown>>(value: T): CamelCaseKeys<T, true> {
  return camelcaseKeys(value, { deep: true, stopPaths: ["metadata"] }) as CamelCaseKeys<T, true>;
}

/** camelCase into snake_case JSON; what is inside `metadata` is the user's and stays as it is. */
export function toWire(value: object): Record<string, unknown> {
  return snakecaseKeys(value as Record<string, unknown>, {
    deep: true,
    exclude: [],
    shouldRecurse: (key: string, inner: unknown) =>
      key !== "metadata" && !(inner instanceof Date) && !ArrayBuffer.isView(inner),
  } as never) as Record<string, unknown>;
}
