/**
 * The cursors of lists: `after`, the last id of the page before.
 *
 * @module
 */
import { decodeTime } from "ulid";
import { fieldProblem } from "./problem.ts";

/** How far a clock of another machine may be ahead, in milliseconds. */
const CLOCK_MS = 60_000;

/**
 * Checks a cursor once its page is read. The row that it names may have been deleted since: paging goes on behind its
 * place. It is refused when it cannot be told from one that was never there: no row has its id, and nothing follows.
 *
 * @param after an id of the right form, or a name
 * @param isEmpty whether nothing follows it
 * @param exists whether it is an id of this list
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
  throw fieldProblem(422, "after", `must be an id of this list: '${after}' is none`);
}

/** When an id was made, in milliseconds since 1970; 0 for a name. */
function timeOf(id: string): number {
  const ulid = id.split("_")[1];
  return ulid === undefined ? 0 : decodeTime(ulid);
}
