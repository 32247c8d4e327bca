/**
 * A versitygw S3 server for tests. The program is cached outside the repository.
 *
 * @module
 */
import { join } from "node:path";
import type { S3Access } from "../../data/objects/s3/settings.ts";
import { CACHE, findProgram } from "./cachedProgram.ts";
import { freePort, listening } from "./server.ts";

const VERSION = "v1.8.0";

/** A running server with one empty bucket. */
export interface Versitygw extends AsyncDisposable {
  /** `http://127.0.0.1:PORT` */
  readonly endpoint: string;
  readonly bucket: string;
  /** The parent folder of the bucket. */
  readonly folder: string;
  /** Access for `openStore`. */
  readonly access: S3Access;
  /** Returns a variable of an environment with the same access. */
  readonly env: (name: string) => string | undefined;
  /** Sends a signal. After SIGKILL and SIGTERM it waits for the process to exit. */
  signal(signal: Deno.Signal): Promise<void>;
  /** Restarts the server with the same port and folder. */
  restart(): Promise<void>;
}

/** Finds the program of the server, like {@linkcode findProgram}. */
export function findVersitygw(): Promise<string | null> {
  return findProgram({
    name: "versitygw",
    variable: "UNMASK_VERSITYGW",
    installer: "go",
    args: ["install", `github.com/versity/versitygw/cmd/versitygw@${VERSION}`],
    env: { GOBIN: join(CACHE, "bin") },
  });
}

/** Starts the server on a free port of 127.0.0.1. Returns null like {@linkcode findVersitygw}. */
export async function startVersitygw(): Promise<Versitygw | null> {
  const program = await findVersitygw();
  if (!program) return null;
  const folder = await Deno.makeTempDir({ prefix: "unmask-s3-" });
  const bucket = "unmask-test";
  await Deno.mkdir(join(folder, bucket));
  const port = freePort();
  const keys = { AWS_ACCESS_KEY_ID: "test-key", AWS_SECRET_ACCESS_KEY: "test-secret-0123456789" };
  let process: Deno.ChildProcess;
  const start = async () => {
    process = new Deno.Command(program, {
      args: ["--port", `127.0.0.1:${port}`, "--region", "us-east-1", "--quiet", "posix", folder],
      env: { ROOT_ACCESS_KEY: keys.AWS_ACCESS_KEY_ID, ROOT_SECRET_KEY: keys.AWS_SECRET_ACCESS_KEY },
      stdout: "null",
      stderr: "null",
    }).spawn();
    await listening(port, process.status, "versitygw");
  };
  const signal = async (name: Deno.Signal) => {
    process.kill(name);
    if (name === "SIGKILL" || name === "SIGTERM") await process.status;
  };
  const stop = async () => {
    await signal("SIGTERM").catch(() => {}); // The process may have exited already.
    await process.status;
    await Deno.remove(folder, { recursive: true });
  };
  try {
    await start();
  } catch (error) {
    await stop();
    throw error;
  }
  const endpoint = `http://127.0.0.1:${port}`;
  const environment: Record<string, string> = {
    ...keys,
    AWS_REGION: "us-east-1",
    AWS_ENDPOINT_URL: endpoint,
  };
  return {
    endpoint,
    bucket,
    folder,
    env: (name) => environment[name],
    access: {
      region: "us-east-1",
      endpoint,
      accessKeyId: keys.AWS_ACCESS_KEY_ID,
      secretAccessKey: keys.AWS_SECRET_ACCESS_KEY,
    },
    signal,
    restart: start,
    [Symbol.asyncDispose]: stop,
  };
}
