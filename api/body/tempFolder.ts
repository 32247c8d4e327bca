/**
 * Temporary folders of requests.
 *
 * @module
 */
import { isOutage } from "../../data/objects/outage.ts";
import { ProblemError } from "../http/problem.ts";

/**
 * Calls `run` with a new folder, and then removes the folder.
 *
 * @param tempDir its parent; the system's temporary folder by default
 * @throws {ProblemError} 503 when the folder cannot be created
 */
export async function withTempFolder<T>(
  tempDir: string | undefined,
  run: (folder: string) => Promise<T>,
): Promise<T> {
  const folder = await withDiskErrors(async () => {
    if (tempDir !== undefined) await Deno.mkdir(tempDir, { recursive: true });
    return await Deno.makeTempDir({ dir: tempDir, prefix: "unmask-upload-" });
  });
  try {
    return await run(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** Runs a file operation. @throws {ProblemError} 503 for a disk that is full, failing, read-only or not accessible */
export async function withDiskErrors<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!isOutage(error)) throw error;
    const options = { headers: { "retry-after": "30" }, cause: error };
    throw new ProblemError(503, "Uploads cannot be stored at the moment: try again later", options);
  }
}
