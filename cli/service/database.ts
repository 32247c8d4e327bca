/**
 * Opens the database at start, and retries while it cannot be reached.
 *
 * @module
 */
import { dirname } from "node:path";
import { redactUrl } from "../../data/redactUrl.ts";
import { jittered, pause } from "../../data/backoff.ts";
import { isLocked } from "../../jobs/store/kv/errors.ts";
import { isRemoteKv, openDatabase } from "../../jobs/store/kv/open.ts";
import { type Settings, SettingsError } from "../settings/settings.ts";

/** Time limit of an attempt, in milliseconds. */
const ATTEMPT_MS = 5_000;
/** Maximum pause between two attempts, in milliseconds. */
const MAX_PAUSE_MS = 5_000;

/** Options of {@linkcode awaitDatabase}. */
export interface OpenOptions {
  /** Cancels the wait. */
  readonly signal?: AbortSignal;
  readonly log: (message: string) => void;
}

/**
 * Opens the database and reads from it. While it cannot be reached or is locked, it retries for `settings.startMs`. It
 * logs the first failure.
 *
 * @throws {SettingsError} when the database cannot be used. Permanent errors are thrown immediately: a damaged file, a
 * folder that cannot be written, a missing access token, a wrong certificate.
 */
export async function awaitDatabase(settings: Settings, { signal, log }: OpenOptions): Promise<Deno.Kv> {
  const deadline = performance.now() + settings.startMs;
  for (let attempts = 0;; attempts++) {
    try {
      if (!isRemoteKv(settings.kv)) await Deno.mkdir(dirname(settings.kv), { recursive: true });
      return await withTimeLimit(openAndRead(settings.kv, log));
    } catch (error) {
      const reason = oneLine(error);
      const left = deadline - performance.now();
      if (!isTemporary(settings.kv, error) || left <= 0 || signal?.aborted) {
        throw new SettingsError(
          `The database cannot be used (UNMASK_KV, ${redactUrl(settings.kv)}): ${reason}`,
        );
      }
      if (attempts === 0) {
        log(`The database cannot be reached, trying again for ${Math.ceil(left / 1000)} s: ${reason}`);
      }
      await pause(Math.min(left, jittered(Math.min(MAX_PAUSE_MS, 250 * 2 ** attempts))), signal);
    }
  }
}

async function openAndRead(path: string, log: (message: string) => void): Promise<Deno.Kv> {
  // `awaitDatabase` logs failures until the database is open.
  let isOpen = false;
  const kv = await openDatabase(path, { log: (message) => isOpen && log(message) });
  try {
    for await (const _ of kv.list({ prefix: [] }, { limit: 1 }));
    isOpen = true;
    return kv;
  } catch (error) {
    kv.close();
    throw error;
  }
}

async function withTimeLimit(opening: Promise<Deno.Kv>): Promise<Deno.Kv> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  let isLate = false;
  const late = new Promise<never>((_, reject) =>
    timer = setTimeout(() => {
      isLate = true;
      reject(new Deno.errors.TimedOut(`no answer within ${ATTEMPT_MS / 1000} s`));
    }, ATTEMPT_MS)
  );
  opening.then((kv) => isLate && kv.close(), () => {});
  try {
    return await Promise.race([opening, late]);
  } finally {
    clearTimeout(timer);
  }
}

function isTemporary(path: string, error: unknown): boolean {
  if (!isRemoteKv(path)) return isLocked(error) || error instanceof Deno.errors.TimedOut;
  return !/certificate|DENO_KV_ACCESS_TOKEN|unauthorized|forbidden|status 40[0134]\b/i.test(oneLine(error));
}

/** Returns the first line of an error's message. */
export function oneLine(error: unknown): string {
  return String(error instanceof Error ? error.message : error).split("\n")[0].slice(0, 300);
}
