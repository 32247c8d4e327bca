/**
 * The folder of a process for uploads that it is receiving. A locked file in it shows that the process is running: the
 * operating system releases the lock when the process ends, even when it is killed.
 *
 * @module
 */
import { tmpdir } from "node:os";
import { join } from "node:path";

const PREFIX = "unmask-uploads-";
const LOCK = "lock";

/** A folder for uploads. It is removed when it is closed. */
export interface UploadFolder {
  readonly path: string;
  /** Removes the folders of processes that have ended. @returns their paths */
  sweep(): Promise<string[]>;
  /** Removes the folder. */
  close(): Promise<void>;
}

/** Creates a folder for this process's uploads. @param root its parent; the system's temporary folder if not writable */
export function openUploadFolder(root: string): UploadFolder {
  const { path, parent } = createFolder(root);
  const file = Deno.openSync(join(path, LOCK), { write: true, create: true });
  file.lockSync(true);
  return {
    path,
    sweep: () => sweepUploads(parent),
    async close() {
      file.close();
      await Deno.remove(path, { recursive: true }).catch(() => {});
    },
  };
}

function createFolder(root: string): { path: string; parent: string } {
  try {
    Deno.mkdirSync(root, { recursive: true });
    return { path: Deno.makeTempDirSync({ dir: root, prefix: PREFIX }), parent: root };
  } catch {
    return { path: Deno.makeTempDirSync({ prefix: PREFIX }), parent: tmpdir() };
  }
}

/** Maximum time between creating a folder and locking it, in milliseconds. */
const UNLOCKED_MS = 60_000;

async function sweepUploads(parent: string): Promise<string[]> {
  const removed: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(parent)) {
    const path = join(parent, name);
    if (!isDirectory || !name.startsWith(PREFIX) || !await isAbandoned(path)) continue;
    await Deno.remove(path, { recursive: true }).catch(() => {});
    removed.push(path);
  }
  return removed;
}

async function isAbandoned(path: string): Promise<boolean> {
  try {
    using file = await Deno.open(join(path, LOCK), { write: true });
    return await file.tryLock(true);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) return false;
    const createdAt = (await Deno.stat(path).catch(() => null))?.mtime?.getTime() ?? Infinity;
    return Date.now() - createdAt > UNLOCKED_MS;
  }
}
