/**
 * The rule "exactly one of these fields", checked and stated in the OpenAPI document.
 *
 * @module
 */
import type { z } from "@hono/zod-openapi";

/**
 * JSON Schema for: of each group of fields exactly one is given. It is `allOf` of `oneOf`, not `oneOf` alone:
 * generators then keep one type with all fields.
 */
export function exactlyOneRule(...groups: readonly (readonly string[])[]) {
  return {
    allOf: groups.map((names) => ({
      oneOf: names.map((name) => ({ properties: { [name]: {} }, required: [name] })),
    })),
  };
}

/** The schema with one more rule: of each group of fields exactly one is given. The error names the group's first. */
export function exactlyOneOf<S extends z.ZodObject>(schema: S, ...groups: readonly (readonly string[])[]): S {
  return schema.superRefine((value, context) => {
    for (const names of groups) {
      const given = names.filter((name) => (value as Record<string, unknown>)[name] !== undefined).length;
      if (given === 1) continue;
      const choices = `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`;
      context.addIssue({
        code: "custom",
        path: [names[0]],
        message: `give exactly one of ${choices}: ${given} were given`,
      });
    }
  }).openapi(exactlyOneRule(...groups));
}
