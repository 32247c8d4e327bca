/**
 * Reads the fields of a `config.json`.
 *
 * @module
 */
import { WeightsError } from "../checkWeights.ts";

/** Reads typed fields of a JSON object, and collects the names of those that had to be assumed. */
export class JsonFields {
  /** The fields that are absent, with the values that were assumed. */
  readonly assumed = new Map<string, unknown>();
  readonly #json: Readonly<Record<string, unknown>>;
  readonly #file: string;

  constructor(json: Readonly<Record<string, unknown>>, file = "config.json") {
    this.#json = json;
    this.#file = file;
  }

  /** Returns a field as it is. */
  raw(name: string): unknown {
    return this.#json[name];
  }

  /** Returns a number. @throws {WeightsError} */
  number(name: string, fallback: number): number {
    return this.#value(name, fallback, "a number", Number.isFinite);
  }

  /** Returns a whole number from 1. @throws {WeightsError} */
  count(name: string, fallback: number): number {
    return this.#value(
      name,
      fallback,
      "a whole number from 1",
      (value) => Number.isSafeInteger(value) && (value as number) >= 1,
    );
  }

  /** Returns a truth value. @throws {WeightsError} */
  boolean(name: string, fallback: boolean): boolean {
    return this.#value(name, fallback, "true or false", (value) => typeof value === "boolean");
  }

  /** Returns text. @throws {WeightsError} */
  text(name: string, fallback: string): string {
    return this.#value(name, fallback, "text", (value) => typeof value === "string");
  }

  /** Returns the side of a square that is given as a number or as height and width. @throws {WeightsError} */
  side(name: string, fallback: number): number {
    const value = this.#json[name];
    if (!Array.isArray(value)) return this.count(name, fallback);
    const [height, width] = value;
    if (value.length !== 2 || height !== width) {
      throw this.error(name, "a square: the same height and width", value);
    }
    return new JsonFields({ [name]: height }, this.#file).count(name, fallback);
  }

  /** Returns numbers, or null when the field is absent. @throws {WeightsError} */
  numbers(name: string): number[] | null {
    const value = this.#json[name];
    if (value === undefined || value === null) return null;
    if (!Array.isArray(value) || !value.every((item) => typeof item === "number" && Number.isFinite(item))) {
      throw this.error(name, "a list of numbers", value);
    }
    return value;
  }

  /** Returns an object, or null when the field is absent. @throws {WeightsError} */
  object(name: string): Record<string, unknown> | null {
    const value = this.#json[name];
    if (value === undefined || value === null) return null;
    if (typeof value !== "object" || Array.isArray(value)) throw this.error(name, "an object", value);
    return value as Record<string, unknown>;
  }

  /** Returns the error of a field with another value than a rule allows. */
  error(name: string, rule: string, value: unknown = this.#json[name]): WeightsError {
    return new WeightsError(`${this.#file}: ${name} must be ${rule}: current value is ${shortJson(value)}`);
  }

  #value<T>(name: string, fallback: T, rule: string, isValid: (value: unknown) => boolean): T {
    const value = this.#json[name];
    if (value === undefined || value === null) {
      this.assumed.set(name, fallback);
      return fallback;
    }
    if (!isValid(value)) throw this.error(name, rule, value);
    return value as T;
  }
}

/** Formats a value for a message. */
export function shortJson(value: unknown): string {
  const text = JSON.stringify(value) ?? "absent";
  return text.length > 80 ? text.slice(0, 80) + "…" : text;
}

/** Returns the values of an object whose keys are 0, 1, 2 and so on, or null unless it has these and names. */
export function namesByNumber(value: unknown): string[] | null {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return null;
  const entries = Object.entries(value); // Keys that are whole numbers come first, in ascending order.
  return entries.every(([key, name], i) => key === String(i) && typeof name === "string")
    ? entries.map(([, name]) => name as string)
    : null;
}
