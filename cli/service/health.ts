/**
 * The health check of a container.
 *
 * @module
 */
import { PROBE_KEY } from "../../data/objects/keys.ts";
import { openStore } from "../../data/objects/open.ts";
import { JobStore } from "../../jobs/store/store.ts";
import { awaitDatabase } from "./database.ts";
import type { Settings } from "../settings/settings.ts";

/** Reads from the database and from object storage. @throws {Error} when one of them does not answer */
export async function checkHealth(settings: Settings): Promise<void> {
  const kv = await awaitDatabase({ ...settings, startMs: 0 }, { log: () => {} });
  try {
    await Promise.all([
      new JobStore(kv).list({ limit: 1 }),
      openStore(settings.storage).head(PROBE_KEY),
    ]);
  } finally {
    kv.close();
  }
}
