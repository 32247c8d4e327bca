/** Returns the peak memory of a process in MiB; null without `/proc`. @param pid this process by default */
export async function peakMemory(pid: number | "self" = "self"): Promise<number | null> {
  const status = await Deno.readTextFile(`/proc/${pid}/status`).catch(() => "");
  const kib = /VmHWM:\s+(\d+)/.exec(status)?.[1];
  return kib ? Math.round(Number(kib) / 102.4) / 10 : null;
}
