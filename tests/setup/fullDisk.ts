/**
 * A full file system.
 *
 * @module
 */

const KIB = 1024;

/**
 * Calls a test with a folder on a small, full file system, a function that frees space and one that fills it again.
 * Without permission to mount, the test is skipped and the reason is printed.
 *
 * @param kib size of the file system
 * @param left free space at the start, in KiB
 */
export async function withFullDisk(
  test: (folder: string, freeSpace: () => Promise<void>, fill: () => Promise<void>) => Promise<void>,
  { kib = 4096, left = 32 } = {},
): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "unmask-full-" });
  const mounted = await run("mount", ["-t", "tmpfs", "-o", `size=${kib}k`, "tmpfs", folder]);
  if (mounted !== null) {
    // Containers often lack this permission, also in CI.
    console.warn(`Skipped: mounting a file system failed (${mounted})`);
    await Deno.remove(folder);
    return;
  }
  try {
    const filler = `${folder}/filler`;
    const fill = async () => {
      using file = await Deno.open(filler, { create: true, append: true });
      // Large blocks, so that a short job does not end before the disk is full. The last write is a partial one.
      const block = new Uint8Array(256 * KIB);
      try {
        while (true) await file.write(block);
      } catch (error) {
        if ((error as { code?: string }).code !== "ENOSPC") throw error;
      }
      const { size } = await file.stat();
      await file.truncate(Math.max(0, size - left * KIB));
    };
    await fill();
    await test(folder, () => Deno.remove(filler), fill);
  } finally {
    await run("umount", ["-l", folder]);
    await Deno.remove(folder);
  }
}

async function run(program: string, args: string[]): Promise<string | null> {
  try {
    const { success, stderr } = await new Deno.Command(program, { args, stdout: "null", stderr: "piped" })
      .output();
    return success ? null : new TextDecoder().decode(stderr).trim();
  } catch (error) {
    return (error as Error).message;
  }
}
