/**
 * A `denokv` database server for tests. The program is cached outside the repository.
 *
 * @module
 */
import { join } from "node:path";
import { exemptLoopbackFromProxy } from "../../cli/settings/environment.ts";
import { CACHE, findProgram } from "./cachedProgram.ts";
import { freePort, listening } from "./server.ts";

const VERSION = "0.14.0";
const TOKEN = "unmask-test-token-0123456789";

/** A running server with a separate database. */
export interface Denokv extends AsyncDisposable {
  /** Value for `UNMASK_KV`: `http://127.0.0.1:PORT`. */
  readonly url: string;
  /** The environment that a client needs. */
  readonly env: Readonly<Record<string, string>>;
  /** Sends a signal. After SIGKILL and SIGTERM it waits for the process to exit. */
  signal(signal: Deno.Signal): Promise<void>;
  /** Restarts the server with the same port and data. */
  restart(): Promise<void>;
}

/** Finds the program of the server, like {@linkcode findProgram}. */
export function findDenokv(): Promise<string | null> {
  return findProgram({
    name: "denokv",
    variable: "UNMASK_DENOKV",
    installer: "cargo",
    args: ["install", "denokv", "--locked", "--version", VERSION, "--root", CACHE],
    env: {
      // A fast build matters more than a fast server.
      CARGO_PROFILE_RELEASE_OPT_LEVEL: "1",
      CARGO_PROFILE_RELEASE_LTO: "off",
      CARGO_PROFILE_RELEASE_CODEGEN_UNITS: "16",
      CARGO_PROFILE_RELEASE_DEBUG: "0",
    },
  });
}

/** Starts the server on a free port of 127.0.0.1. Returns null like {@linkcode findDenokv}. */
export async function startDenokv(): Promise<Denokv | null> {
  const program = await findDenokv();
  if (!program) return null;
  exemptLoopbackFromProxy();
  const folder = await Deno.makeTempDir({ prefix: "unmask-kv-" });
  const port = freePort();
  const start = async () => {
    const process = new Deno.Command(program, {
      args: ["--sqlite-path", join(folder, "kv.sqlite3"), "serve", "--addr", `127.0.0.1:${port}`],
      env: { DENO_KV_ACCESS_TOKEN: TOKEN },
      stdout: "null",
      stderr: "null",
    }).spawn();
    await listening(port, process.status, "denokv");
    return process;
  };
  let process = await start();
  const signal = async (signal: Deno.Signal) => {
    process.kill(signal);
    if (signal === "SIGKILL" || signal === "SIGTERM") await process.status;
  };
  return {
    url: `http://127.0.0.1:${port}`,
    env: { DENO_KV_ACCESS_TOKEN: TOKEN },
    signal,
    async restart() {
      process = await start();
    },
    async [Symbol.asyncDispose]() {
      await signal("SIGKILL").catch(() => {});
      await process.status;
      await Deno.remove(folder, { recursive: true });
    },
  };
}
