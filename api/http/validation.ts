/**
 * Validates a value against a zod schema, and words zod's issues: the path of each value and the rule that it breaks.
 *
 * @module
 */
import type { z } from "@hono/zod-openapi";
import { type FieldError, ProblemError } from "./problem.ts";

type Issue = z.core.$ZodIssue;

const MAX_ERRORS = 32;

/** Formats a value as JSON, shortened to 60 characters. */
function formatValue(value: unknown): string {
  const text = typeof value === "number" ? String(value) : JSON.stringify(value);
  return text.length > 60 ? `${text.slice(0, 60)}…` : text;
}

const pluralise = (count: number | bigint, noun: string) =>
  `${count} ${noun}${Number(count) === 1 ? "" : "s"}`;

/** Joins the values that a field may have. */
const joinChoices = (choices: readonly string[]) =>
  choices.length > 2 ? `one of ${choices.join(", ")}` : choices.join(" or ");

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

/** Removes zod's length issues of a value that already has the wrong type. */
function withoutLengths(issues: readonly Issue[]): Issue[] {
  const pathOf = (issue: Issue) => JSON.stringify(issue.path.map(String));
  const mistyped = new Set(issues.filter(({ code }) => code === "invalid_type").map(pathOf));
  return issues.filter((issue) =>
    !(issue.code === "too_small" || issue.code === "too_big") || !mistyped.has(pathOf(issue))
  );
}

/** Words the rule that a value breaks. @returns the rule, and whether the message shows the value after it */
function ruleOf(issue: Issue): { readonly rule: string; readonly showsValue: boolean } {
  const isMissing = issue.input === undefined;
  const withValue = (rule: string) => ({ rule, showsValue: !isMissing });
  const mustBe = (kind: string) => withValue(`${isMissing ? "is required and " : ""}must be ${kind}`);
  switch (issue.code) {
    case "too_small":
    case "too_big": {
      const small = issue.code === "too_small";
      const bound = small ? issue.minimum : issue.maximum;
      const words = small
        ? (issue.inclusive ? "at least" : "above")
        : (issue.inclusive ? "at most" : "below");
      if (issue.origin === "string") return withValue(`must have ${words} ${pluralise(bound, "character")}`);
      if (issue.origin === "array" || issue.origin === "tuple") {
        return { rule: `must have ${words} ${pluralise(bound, "element")}`, showsValue: false };
      }
      return withValue(`must be ${words} ${bound}`);
    }
    case "invalid_type":
      return mustBe(TYPES[issue.expected] ?? `of type ${issue.expected}`);
    case "invalid_value":
      return mustBe(joinChoices(issue.values.map(formatValue)));
    case "custom":
      return { rule: issue.message, showsValue: false };
    case "invalid_format":
      // A pattern with its own message states the rule. Zod's default message shows the regular expression.
      return withValue(issue.message.startsWith("Invalid ") ? "must have a valid format" : issue.message);
    default:
      return withValue(issue.message);
  }
}

/** Joins the rules of a union's branches, and shows the value once. */
function messageOf(...branches: readonly Issue[][]): string {
  const rules = branches.map((issues) =>
    [...new Set(issues.map((issue) => ruleOf(issue).rule))].join(" and ")
  );
  const first = branches.flat().find((issue) => ruleOf(issue).showsValue);
  const value = first === undefined ? "" : `: current value is ${formatValue(first.input)}`;
  return `${[...new Set(rules)].join(", or ").replace(/, or (is required and )?must be /g, " or ")}${value}`;
}

/** Returns the branch of a union that the value most likely belongs to: one whose issues are all below its root. */
function closestBranch(branches: Issue[][]): Issue[] {
  const depth = (branch: Issue[]) =>
    branch.every((issue) => issue.path.length > 0 || issue.code === "unrecognized_keys") ? 1 : 0;
  return [...branches].sort((a, b) => depth(b) - depth(a))[0];
}

function flatten(issue: Issue, prefix: readonly PropertyKey[]): FieldError[] {
  const path = [...prefix, ...issue.path];
  const fieldError = (message: string, suffix: readonly PropertyKey[] = []): FieldError => ({
    path: [...path, ...suffix].map(String).join("."),
    message,
  });
  if (issue.code === "unrecognized_keys") {
    return issue.keys.map((key) => fieldError("is not a field of this request", [key.slice(0, 80)]));
  }
  if (issue.code === "invalid_union") {
    const detail = issue as unknown as { options?: unknown[]; input?: Record<string, unknown> };
    if (detail.options !== undefined) {
      const rule = `must be ${joinChoices(detail.options.map(formatValue))}`;
      const value = detail.input?.[String(issue.path.at(-1))];
      return [
        fieldError(
          value === undefined ? `is required and ${rule}` : `${rule}: current value is ${formatValue(value)}`,
        ),
      ];
    }
    const branches = (issue.errors as Issue[][]).map(withoutLengths);
    const branch = branches.length > 0 ? closestBranch(branches) : [];
    if (branch.some((inner) => inner.path.length > 0 || inner.code === "unrecognized_keys")) {
      return branch.flatMap((inner) => flatten(inner, path));
    }
    return [fieldError(messageOf(...branches))];
  }
  if (issue.code === "invalid_key") {
    return [fieldError(messageOf(issue.issues as Issue[]))];
  }
  return [fieldError(messageOf([issue]))];
}

/**
 * Validates a value against a schema. Returns it with defaults filled in.
 *
 * @throws {ProblemError} 422 with one error for each wrong value
 */
export function validate<S extends z.ZodType>(schema: S, value: unknown): z.output<S> {
  const result = schema.safeParse(value, { reportInput: true });
  if (result.success) return result.data;
  const errors = withoutLengths(result.error.issues).flatMap((issue) => flatten(issue, [])).slice(
    0,
    MAX_ERRORS,
  );
  const first = errors[0];
  const detail = first.path === "" ? `The body ${first.message}` : `${first.path}: ${first.message}`;
  throw new ProblemError(422, errors.length > 1 ? `${detail} (and ${errors.length - 1} more)` : detail, {
    errors,
  });
}
