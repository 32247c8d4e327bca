/**
 * CPU time of processes, from `/proc`. Linux only.
 *
 * @module
 */

/** Unit of the times in `/proc`, in seconds. */
const TICK = 0.01;

/** Returns the CPU time that a process has used so far, in seconds. */
export async function cpuSeconds(pid: number): Promise<number> {
  const { userTicks, systemTicks } = await statOf(pid);
  return (userTicks + systemTicks) * TICK;
}

/** Returns the CPU time of all processes that a process has started, in seconds. */
export async function childrenCpuSeconds(pid: number): Promise<number> {
  let seconds = 0;
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const stat = await statOf(Number(name)).catch(() => null);
    if (stat?.parent === pid) seconds += (stat.userTicks + stat.systemTicks) * TICK;
  }
  return seconds;
}

async function statOf(pid: number) {
  const stat = await Deno.readTextFile(`/proc/${pid}/stat`);
  // The name of the program, in parentheses, may contain spaces.
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ").map(Number);
  return { parent: fields[1], userTicks: fields[11], systemTicks: fields[12] };
}
