/**
 * The cursor of a list: `after`, the last id of the previous page.
 *
 * @module
 */
import { decodeTime } from "ulid";
import { fieldProblem } from "./problem.ts";

/** Maximum difference between the clocks of two machines, in milliseconds. */
const CLOCK_SKEW_MS = 60_000;

/**
 * Checks a cursor after its page was read. If its row was deleted, paging continues with the next id. The cursor is
 * rejected when no row has its id and either the page is empty or the id is from the future.
 *
 * @param after a valid id, or the name of a built-in data set
 * @param isEmpty whether the page after it is empty
 * @param exists whether a row of this list has the id
 * @param now milliseconds since 1970
 * @throws {ProblemError} 422
 */
export async function checkCursor(
  after: string | undefined,
  isEmpty: boolean,
  exists: (id: string) => Promise<boolean>,
  now: number,
): Promise<void> {
  if (after === undefined) return;
  const isPlausible = !isEmpty && creationTime(after) <= now + CLOCK_SKEW_MS;
  if (isPlausible || await exists(after)) return;
  throw fieldProblem(422, "after", `must be an id from this list: '${after}' is not in it`);
}

/** Returns the time at which an id was created, in milliseconds since 1970; 0 for a name. */
function creationTime(id: string): number {
  const ulid = id.split("_")[1];
  return ulid === undefined ? 0 : decodeTime(ulid);
}
