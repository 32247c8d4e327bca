/**
 * Links between operations: which part of an answer another operation takes as its id.
 *
 * @module
 */
import type { JsonObject } from "./jsonSchemas.ts";

/** Links from an answer with an `id` to the operations that take this id in their path. */
export function linksTo(...operationIds: readonly string[]): Record<string, JsonObject> {
  return Object.fromEntries(operationIds.map((operationId) => [
    operationId,
    { operationId, parameters: { id: "$response.body#/id" } },
  ]));
}
