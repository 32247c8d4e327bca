/**
 * Processes of Linux, as `/proc` shows them.
 *
 * @module
 */

/** Returns the ids of the children of a process; none if it has ended. */
export async function childrenOf(pid: number): Promise<number[]> {
  const children: number[] = [];
  try {
    for await (const { name } of Deno.readDir(`/proc/${pid}/task`)) {
      const text = await Deno.readTextFile(`/proc/${pid}/task/${name}/children`);
      children.push(...text.split(" ").filter(Boolean).map(Number));
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return children;
}
