/**
 * Rows of invalid imports of weights.
 *
 * @module
 */
import type { TestApi } from "../fixtures.ts";
import type { Row } from "./row.ts";

/** The files of an import by their fields. */
export type Files = Parameters<TestApi["importWeights"]>[0];

/** Creates a row for an invalid import. @param path the field that is rejected */
export function row(
  group: number,
  title: string,
  files: Files,
  path: string,
  pattern?: RegExp,
  { fields = {}, status = 422 }: { fields?: Record<string, string>; status?: number } = {},
): Row {
  return {
    group,
    title: `weights: ${title}`,
    send: (api) => api.importWeights(files, fields),
    status,
    path,
    pattern,
  };
}
