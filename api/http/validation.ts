/**
 * What zod finds wrong, in our words: the path of each value and what would be right.
 *
 * @module
 */
import type { z } from "@hono/zod-openapi";
import { type FieldError, ProblemError } from "./problem.ts";

type Issue = z.core.$ZodIssue;

const MOST_ERRORS = 32;

/** A value as JSON, shortened to what fits a sentence. */
function shown(value: unknown): string {
  const text = typeof value === "number" ? String(value) : JSON.stringify(value) ?? "missing";
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

const counted = (count: number | bigint, what: string) => `${count} ${what}${Number(count) === 1 ? "" : "s"}`;

/** Zod's type names in plain words. */
const TYPES: Readonly<Record<string, string>> = {
  int: "a whole number",
  number: "a number",
  string: "a string",
  boolean: "true or false",
  array: "an array",
  tuple: "an array",
  object: "an object",
  record: "an object",
};

/** Drops zod's length errors for a value that already has the wrong type. */
function withoutLengths(issues: readonly Issue[]): Issue[] {
  const place = (issue: Issue) => JSON.stringify(issue.path.map(String));
  const mistyped = new Set(issues.filter(({ code }) => code === "invalid_type").map(place));
  return issues.filter((issue) =>
    !(issue.code === "too_small" || issue.code === "too_big") || !mistyped.has(place(issue))
  );
}

/** States the rule that a value breaks. @returns the rule, and whether the message shows the value after it */
function resolvePreprocessing(issue: Issue): { readonly rule: string; readonly showsValue: boolean } {
  const shownRule = (rule: string) => ({ rule, showsValue: issue.input !== undefined });
  switch (issue.code) {
    case "too_small":
    case "too_big": {
      const small = issue.code === "too_small";
      const bound = small ? issue.minimum : issue.maximum;
      const words = small
        ? (issue.inclusive ? "at least" : "above")
        : (issue.inclusive ? "at most" : "below");
      if (issue.origin === "string") return shownRule(`must have ${words} ${counted(bound, "character")}`);
      if (issue.origin === "array" || issue.origin === "tuple") {
        return { rule: `must have ${words} ${counted(bound, "element")}`, showsValue: false };
      }
      return shownRule(`must be ${words} ${bound}`);
    }
    case "invalid_type": {
      const kind = TYPES[issue.expected] ?? `of type ${issue.expected}`;
      return shownRule(issue.input === undefined ? `is required and must be ${kind}` : `must be ${kind}`);
    }
    case "invalid_value":
      return shownRule(`must be ${issue.values.map((choice) => shown(choice)).join(" or ")}`);
    case "custom":
      return { rule: issue.message, showsValue: false };
    case "invalid_format":
      // A pattern with its own message states the rule. Zod's default message shows the regular expression.
      return shownRule(issue.message.startsWith("Invalid ") ? "must have a valid format" : issue.message);
    default:
      return shownRule(issue.message);
  }
}

/** Joins the rules of alternative branches, and shows the value once. */
function wording(...branches: readonly Issue[][]): string {
  const rules = branches.map((issues) =>
    [...new Set(issues.map((issue) => resolvePreprocessing(issue).rule))].join(" and ")
  );
  const first = branches.flat().find((issue) => resolvePreprocessing(issue).showsValue);
  const value = first === undefined ? "" : `: current value is ${shown(first.input)}`;
  return `${[...new Set(rules)].join(", or ").replaceAll(", or must be ", " or ")}${value}`;
}

/** Of a union's branches the one the value was probably meant for: the one that got deepest into it. */
function likeliest(branches: Issue[][]): Issue[] {
  const depth = (branch: Issue[]) =>
    branch.every((issue) => issue.path.length > 0 || issue.code === "unrecognized_keys") ? 1 : 0;
  return [...branches].sort((a, b) => depth(b) - depth(a))[0];
}

function flatten(issue: Issue, prefix: readonly PropertyKey[]): FieldError[] {
  const path = [...prefix, ...issue.path];
  const here = (message: string, more: readonly PropertyKey[] = []): FieldError => ({
    path: [...path, ...more].map(String).join("."),
    message,
  });
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => here("is not a field that is known here", [key.slice(0, 80)]));
  }
  if (issue.code === "invalid_union") {
    const detail = issue as unknown as { options?: unknown[]; input?: Record<string, unknown> };
    if (detail.options !== undefined) {
      const choices = detail.options.map(shown).join(", ");
      const given = detail.input?.[String(issue.path.at(-1))];
      return [here(`must be one of ${choices}: current value is ${shown(given)}`)];
    }
    const branches = (issue.errors as Issue[][]).map(withoutLengths);
    const branch = branches.length > 0 ? likeliest(branches) : [];
    if (branch.some((inner) => inner.path.length > 0 || inner.code === "unrecognized_keys")) {
      return branch.flatMap((inner) => flatten(inner, path));
    }
    return [here(wording(...branches))];
  }
  if (issue.code === "invalid_key") {
    return [here(wording(issue.issues as Issue[]))];
  }
  return [here(wording([issue]))];
}

/**
 * A value checked against its schema.
 *
 * @throws {ProblemError} 422 with one error for each wrong value
 */
export function checked<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  const errors = withoutLengths(result.error.issues).flatMap((issue) => flatten(issue, [])).slice(
    0,
    MOST_ERRORS,
  );
  const first = errors[0];
  const detail = first.path === "" ? `The body ${first.message}` : `${first.path}: ${first.message}`;
  throw new ProblemError(422, errors.length > 1 ? `${detail} (and ${errors.length - 1} more)` : detail, {
    errors,
  });
}
