/**
 * The number of processes that the kernel has killed because memory ran out.
 *
 * @module
 */

/** Files with a line `oom_kill N`: of the control group (versions 2 and 1), then of the whole machine. */
async function counterFiles(): Promise<string[]> {
  const groups = await Deno.readTextFile("/proc/self/cgroup").catch(() => "");
  const pathOf = (pattern: RegExp) => pattern.exec(groups)?.[1].replace(/\/$/, "");
  const v2 = pathOf(/^0::(.*)$/m), v1 = pathOf(/^\d+:(?:[^:]*,)?memory(?:,[^:]*)?:(.*)$/m);
  return [
    // A container sees its own group at the root.
    ...v2 === undefined ? [] : [`/sys/fs/cgroup${v2}/memory.events`, "/sys/fs/cgroup/memory.events"],
    ...v1 === undefined
      ? []
      : [`/sys/fs/cgroup/memory${v1}/memory.oom_control`, "/sys/fs/cgroup/memory/memory.oom_control"],
    "/proc/vmstat",
  ];
}

/**
 * Returns how many processes the kernel has killed because memory ran out: in this control group, or on the whole
 * machine if the group's number cannot be read. Null where neither can be read, as on Windows and macOS.
 */
export async function countOomKills(): Promise<number | null> {
  if (Deno.build.os !== "linux") return null;
  for (const path of await counterFiles()) {
    const text = await Deno.readTextFile(path).catch(() => "");
    const count = /^oom_kill (\d+)$/m.exec(text)?.[1];
    if (count !== undefined) return Number(count);
  }
  return null;
}
