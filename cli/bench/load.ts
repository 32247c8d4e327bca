/**
 * A process that sends HTTP requests on many connections and measures the responses. It writes bytes to sockets,
 * because an HTTP client takes as much time as the server that it measures. Its input is a {@linkcode Load} as JSON,
 * and its output {@linkcode LoadFigures}.
 *
 * @module
 */
import process from "node:process";

/** The requests to send. */
export interface Load {
  readonly hostname: string;
  readonly port: number;
  readonly path: string;
  readonly accept: string;
  /** Bodies of the requests, which are sent in turn. */
  readonly bodies: readonly string[];
  /** Number of connections, each with one request at a time. */
  readonly connections: number;
  /** Untimed requests before the others. */
  readonly warmUp: number;
  /** Timed requests. */
  readonly requests: number;
}

/** Times of the responses. */
export interface LoadFigures {
  /** Time from the first timed request to the last response. */
  readonly ms: number;
  readonly p50: number;
  readonly p99: number;
  /** CPU time of this process in that time. */
  readonly cpuMs: number;
  /** Responses with another status than 200, with the first one's text. */
  readonly failed: number;
  readonly failure: string | null;
}

const encoder = new TextEncoder(), decoder = new TextDecoder();

function encodeRequest({ hostname, port, path, accept }: Load, body: string): Uint8Array<ArrayBuffer> {
  const bytes = encoder.encode(body);
  const head = `POST ${path} HTTP/1.1\r\nhost: ${hostname}:${port}\r\ncontent-type: application/json\r\n` +
    `accept: ${accept}\r\ncontent-length: ${bytes.length}\r\n\r\n`;
  return new Uint8Array([...encoder.encode(head), ...bytes]);
}

/** Reads one response with a Content-Length. @returns its status and, unless it is 200, its text */
async function readResponse(connection: Deno.Conn, buffer: Uint8Array): Promise<[number, string]> {
  let text = "", received = 0, expected = Infinity;
  while (received < expected) {
    const count = await connection.read(buffer);
    if (count === null) throw new Error("The server closed the connection");
    received += count;
    if (expected !== Infinity) continue;
    text += decoder.decode(buffer.subarray(0, Math.min(count, 8192)));
    const end = text.indexOf("\r\n\r\n"), length = /\r\ncontent-length: (\d+)/i.exec(text);
    if (end !== -1 && length !== null) expected = end + 4 + Number(length[1]);
  }
  const status = Number(text.slice(9, 12));
  return [status, status === 200 ? "" : text];
}

/** Sends the requests. */
export async function measureLoad(load: Load): Promise<LoadFigures> {
  const requests = load.bodies.map((body) => encodeRequest(load, body));
  const times: number[] = [];
  let failed = 0, failure: string | null = null;
  const open = await Promise.all(
    Array.from(
      { length: load.connections },
      () => Deno.connect({ hostname: load.hostname, port: load.port }),
    ),
  );
  const buffers = open.map(() => new Uint8Array(64 * 1024));
  const run = async (count: number) => {
    let next = 0;
    await Promise.all(open.map(async (connection, i) => {
      while (next < count) {
        const request = requests[next++ % requests.length], start = performance.now();
        await writeAll(connection, request);
        const [status, text] = await readResponse(connection, buffers[i]);
        times.push(performance.now() - start);
        if (status === 200) continue;
        failed++;
        failure ??= text;
      }
    }));
  };
  await run(load.warmUp);
  times.length = 0;
  const start = performance.now(), cpuBefore = process.cpuUsage();
  await run(load.requests);
  const ms = performance.now() - start, { user, system } = process.cpuUsage(cpuBefore);
  open.forEach((connection) => connection.close());
  const sorted = times.toSorted((a, b) => a - b);
  const percentile = (share: number) =>
    sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))];
  return { ms, p50: percentile(0.5), p99: percentile(0.99), cpuMs: (user + system) / 1e3, failed, failure };
}

async function writeAll(connection: Deno.Conn, bytes: Uint8Array): Promise<void> {
  for (let written = 0; written < bytes.length;) written += await connection.write(bytes.subarray(written));
}

/** Measures in a separate process. @throws {Error} with the output of a process that failed */
export async function loadProcess(load: Load): Promise<LoadFigures> {
  const child = new Deno.Command(Deno.execPath(), {
    args: ["run", "--allow-net", "--allow-sys", import.meta.filename!],
    stdin: "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const writer = child.stdin.getWriter();
  await writer.write(encoder.encode(JSON.stringify(load)));
  await writer.close();
  const { success, stdout, stderr } = await child.output();
  if (!success) throw new Error(decoder.decode(stderr));
  const figures: LoadFigures = JSON.parse(decoder.decode(stdout));
  if (figures.failed > 0) throw new Error(`${figures.failed} requests failed: ${figures.failure}`);
  return figures;
}

if (import.meta.main) {
  const input = await new Response(Deno.stdin.readable).text();
  console.log(JSON.stringify(await measureLoad(JSON.parse(input))));
}
