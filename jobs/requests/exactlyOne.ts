/**
 * The rule that a request has exactly one of several fields, checked and stated in the OpenAPI document.
 *
 * @module
 */
import type { z } from "@hono/zod-openapi";

/**
 * Returns the JSON Schema of the rule that exactly one field of each group is present. The `oneOf` is inside `allOf`,
 * so that client generators keep one type with all fields.
 */
export function exactlyOneRule(...groups: readonly (readonly string[])[]) {
  return {
    allOf: groups.map((names) => ({
      oneOf: names.map((name) => ({ properties: { [name]: {} }, required: [name] })),
    })),
  };
}

/** Adds the rule that exactly one field of each group is present. An issue names the group's first field. */
export function exactlyOneOf<S extends z.ZodObject>(schema: S, ...groups: readonly (readonly string[])[]): S {
  return schema.superRefine((value, context) => {
    for (const names of groups) {
      const count = names.filter((name) => (value as Record<string, unknown>)[name] !== undefined).length;
      if (count === 1) continue;
      const choices = `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
      context.addIssue({
        code: "custom",
        path: [names[0]],
        message: `give exactly one of ${choices}: ${count} were given`,
      });
    }
  }).openapi(exactlyOneRule(...groups));
}
