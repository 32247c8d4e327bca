/**
 * Links between operations: which field of a response is the id for another operation.
 *
 * @module
 */
import type { JsonObject } from "./jsonSchemas.ts";

/** Links from a response with an `id` to the operations that have this id in their path. */
export function linksTo(...operationIds: readonly string[]): Record<string, JsonObject> {
  return Object.fromEntries(operationIds.map((operationId) => [
    operationId,
    { operationId, parameters: { id: "$response.body#/id" } },
  ]));
}
