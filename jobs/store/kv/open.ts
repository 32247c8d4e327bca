/**
 * Opens the database with time limits, so that every call ends within seconds.
 *
 * @module
 */
import { type CallKind, KvCircuit } from "./circuit.ts";
import { databaseUnavailable, isTransient } from "./errors.ts";
import { startKvGateway } from "./gateway.ts";

/** Options of {@linkcode openDatabase}. */
export interface DatabaseOptions {
  /** Called once when an outage begins and once when it ends. @default console.error */
  readonly log?: (message: string) => void;
  /** Time limit of a call, in milliseconds. @default 5000 */
  readonly callMs?: number;
}

/** Returns true for a KV that is reached over HTTP (`denokv`). It has no queues. */
export function isRemoteKv(pathOrUrl: string | undefined): boolean {
  return pathOrUrl !== undefined && /^https?:\/\//i.test(pathOrUrl);
}

const CALL_KINDS: Readonly<Record<string, CallKind>> = {
  get: "read",
  getMany: "read",
  set: "write",
  delete: "write",
  enqueue: "write",
};
/** The key of a row that never exists. */
const PROBE_ROW = ["probe"];

const circuits = new WeakMap<Deno.Kv, KvCircuit>();

/**
 * Opens Deno KV. A call throws {@linkcode DatabaseUnavailableError} after a few seconds without an answer. During an
 * outage all calls throw it immediately, except for one probe at a time, which detects the end of the outage.
 *
 * @param pathOrUrl a file, `:memory:`, or the http(s) address of a `denokv` server
 * @throws {DatabaseUnavailableError} when the database cannot be reached or used at present
 */
export async function openDatabase(pathOrUrl: string, options: DatabaseOptions = {}): Promise<Deno.Kv> {
  const { log = (message: string) => console.error(message), callMs } = options;
  try {
    if (!isRemoteKv(pathOrUrl)) {
      return guardedKv(await Deno.openKv(pathOrUrl), new KvCircuit({ local: true, callMs, log }));
    }
    const gateway = startKvGateway(pathOrUrl, callMs === undefined ? undefined : callMs * 0.8);
    try {
      // Deno's client keeps sending requests even if the database cannot be opened.
      await gateway.ping();
      const kv = await Deno.openKv(gateway.url);
      const circuit = new KvCircuit({ local: false, callMs, log });
      return guardedKv(kv, circuit, () => void gateway.close().catch(() => {}));
    } catch (error) {
      await gateway.close();
      throw error;
    }
  } catch (error) {
    throw isTransient(error) ? databaseUnavailable(error) : error;
  }
}

/** Returns the milliseconds since a call failed because the database was unavailable; infinite if none has. */
export function sinceOutage(kv: Deno.Kv): number {
  return circuits.get(kv)?.sinceFailure ?? Infinity;
}

/**
 * Makes a harmless write during an outage. Reads do not end an outage in which only writes fail, and a process without
 * work makes no other writes.
 *
 * @throws {DatabaseUnavailableError} while the outage lasts
 */
export async function endOutageOfWrites(kv: Deno.Kv): Promise<void> {
  if (sinceOutage(kv) === 0) await kv.delete(PROBE_ROW);
}

/** Returns the database with a circuit breaker around each call. @param closed called after it is closed */
export function guardedKv(kv: Deno.Kv, circuit: KvCircuit, closed: () => void = () => {}): Deno.Kv {
  const atomic = () => {
    const operation = kv.atomic();
    const guarded: Deno.AtomicOperation = new Proxy(operation, {
      get(target, name) {
        if (name === "commit") return () => circuit.call("write", () => target.commit());
        const value = Reflect.get(target, name);
        return typeof value !== "function" ? value : (...args: unknown[]) => {
          value.apply(target, args);
          return guarded;
        };
      },
    });
    return guarded;
  };
  const list = (...args: Parameters<Deno.Kv["list"]>) => {
    const iterator = kv.list(...args);
    const guarded = {
      next: () => circuit.call("read", () => iterator.next()),
      get cursor() {
        return iterator.cursor;
      },
      [Symbol.asyncIterator]: () => guarded,
    };
    return guarded;
  };
  const close = () => {
    kv.close();
    closed();
  };
  const guarded = new Proxy(kv, {
    get(target, name) {
      if (name === "atomic") return atomic;
      if (name === "list") return list;
      if (name === "close" || name === Symbol.dispose) return close;
      const value = Reflect.get(target, name);
      if (typeof value !== "function") return value;
      const kind = CALL_KINDS[name as string];
      if (kind === undefined) return value.bind(target);
      return (...args: unknown[]) => circuit.call(kind, () => value.apply(target, args));
    },
  });
  circuits.set(guarded, circuit);
  return guarded;
}
