/**
 * Starts the service in a separate process, as `deno task start`, `api` and `runner` do.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { Client } from "./client.ts";

const MAIN = new URL("../main.ts", import.meta.url);

/** A process of the service. */
export interface ServiceProcess extends AsyncDisposable {
  /** A client of the API. Its calls fail if the process is a runner. */
  readonly client: Client;
  readonly url: string;
  readonly pid: number;
  /** Sends a signal and waits for the exit. @returns the exit status and all output */
  end(signal: Deno.Signal): Promise<{ readonly code: number; readonly output: string }>;
}

/**
 * Starts a process and waits until it reports that it is ready.
 *
 * @param onOutput receives all output so far
 * @param dataBytes limit of the writable memory of the process and of each of its children, in bytes (`ulimit -d`)
 */
export async function startProcess(
  command: "start" | "api" | "runner",
  dataDir: string,
  env: Record<string, string> = {},
  onOutput: (output: string) => void = () => {},
  dataBytes?: number,
): Promise<ServiceProcess> {
  const config = fileURLToPath(new URL("../deno.json", import.meta.url));
  const deno = [Deno.execPath(), "run", "-A", "--config", config, MAIN.href, command];
  const limited = [
    "sh",
    "-c",
    `ulimit -d ${Math.floor((dataBytes ?? 0) / 1024)}; exec "$@"`,
    "sh",
    ...deno,
  ];
  const [program, ...args] = dataBytes === undefined ? deno : limited;
  const child = new Deno.Command(program, {
    args,
    env: { UNMASK_DATA: dataDir, UNMASK_PORT: "0", UNMASK_STORE: "", UNMASK_KV: "", ...env },
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  let output = "";
  const ready = Promise.withResolvers<string>();
  const read = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>) => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      output += text;
      onOutput(output);
      const line = /listening on (\S+)|runner ready/.exec(output);
      if (line) ready.resolve(line[1] ?? "");
    }
  };
  const reading = Promise.all([read(child.stdout), read(child.stderr)]);
  child.status.then(({ code }) =>
    ready.reject(new Error(`The process exited with ${code} before it was ready:\n${output}`))
  );
  const url = await ready.promise;
  let ended: Promise<{ code: number; output: string }> | null = null;
  const end = (signal: Deno.Signal) =>
    ended ??= (async () => {
      child.kill(signal);
      const { code } = await child.status;
      await reading;
      return { code, output };
    })();
  return {
    client: new Client(url),
    url,
    pid: child.pid,
    end,
    [Symbol.asyncDispose]: async () => void await end("SIGKILL"),
  };
}
