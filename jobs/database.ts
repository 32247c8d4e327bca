/**
 * Opens the database with time limits: a call ends within seconds, whatever the database does.
 *
 * @module
 */
import { databaseUnavailable, isRemoteKv, isTransient } from "./kv.ts";
import { type CallKind, KvCircuit } from "./kvCircuit.ts";
import { startKvGateway } from "./kvGateway.ts";

/** How the database is opened. */
export interface DatabaseOptions {
  /** Called once when an outage begins and once when it ends; to standard error when absent. */
  readonly log?: (message: string) => void;
  /** Longest time of one call, in milliseconds. @default 5000 */
  readonly callMs?: number;
}

const KINDS: Readonly<Record<string, CallKind>> = {
  get: "read",
  getMany: "read",
  set: "write",
  delete: "write",
  enqueue: "write",
};
const circuits = new WeakMap<Deno.Kv, KvCircuit>();

/**
 * Opens Deno KV. Calls of the result throw {@linkcode DatabaseUnavailableError} after a few seconds without an answer,
 * and at once while an outage lasts; one call at a time goes through then, to find its end.
 *
 * @param pathOrUrl a file, `:memory:`, or the http(s) address of a `denokv` server
 * @throws {DatabaseUnavailableError} when the database cannot be reached or used now
 */
export async function openDatabase(pathOrUrl: string, options: DatabaseOptions = {}): Promise<Deno.Kv> {
  const { log = (message: string) => console.error(message), callMs } = options;
  try {
    if (!isRemoteKv(pathOrUrl)) {
      return guardedKv(await Deno.openKv(pathOrUrl), new KvCircuit({ local: true, callMs, log }));
    }
    allowDirectLoopback();
    const gateway = startKvGateway(pathOrUrl, callMs === undefined ? undefined : callMs * 0.8);
    try {
      // Deno's client of a database that could not be opened goes on asking for it.
      await gateway.reach();
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

/** Milliseconds since a call of this database failed because it was unavailable; infinite when none has. */
export function sinceOutage(kv: Deno.Kv): number {
  return circuits.get(kv)?.sinceFailure ?? Infinity;
}

/** The same database behind a circuit. @param closed called after it is closed */
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
      const kind = KINDS[name as string];
      if (kind === undefined) return value.bind(target);
      return (...args: unknown[]) => circuit.call(kind, () => value.apply(target, args));
    },
  });
  circuits.set(guarded, circuit);
  return guarded;
}

/** Keeps a proxy in the environment from being asked for the gateway: Deno's KV client heeds it on loopback too. */
function allowDirectLoopback(): void {
  const proxied = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].some((name) => Deno.env.get(name));
  if (!proxied) return;
  const direct = Deno.env.get("NO_PROXY") ?? Deno.env.get("no_proxy") ?? "";
  if (direct.split(",").some((host) => ["*", "127.0.0.1"].includes(host.trim()))) return;
  const extended = direct === "" ? "127.0.0.1" : `${direct},127.0.0.1`;
  Deno.env.set("NO_PROXY", extended);
  Deno.env.set("no_proxy", extended);
}
