/**
 * The cursor of a list: `after`, the last id of the previous page.
 *
 * @module
 */
import { decodeTime } from "ulid";
import { fieldProblem } from "./problem.ts";

/** How far the clock of another machine may be ahead, in milliseconds. */
const CLOCK_MS = 60_000;

/**
 * Checks a cursor after its page is read. The row that it names may have been deleted: paging then continues after its
 * place. The cursor is rejected when no row has its id and either the page is empty or the id lies in the future.
 *
 * @param after an id in the right format, or a name
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
  const wasPossible = !isEmpty && timeOf(after) <= now + CLOCK_MS;
  if (wasPossible || await exists(after)) return;
  throw fieldProblem(422, "after", `must be an id from this list: '${after}' is not in it`);
}

/** When an id was created, in milliseconds since 1970; 0 for a name. */
function timeOf(id: string): number {
  const ulid = id.split("_")[1];
  return ulid === undefined ? 0 : decodeTime(ulid);
}
