/**
 * Measures reconstructions over HTTP, one at a time and 500 at once.
 *
 * @module
 */
import { drawDigit } from "../../data/datasets/builtIn/drawDigit.ts";
import { encodePng } from "../../data/images/encodePng.ts";
import { childrenCpuSeconds, cpuSeconds } from "./cpuTime.ts";
import { type Load, loadProcess } from "./load.ts";
import { round } from "./round.ts";

/** The model to use, and where its images come from. */
export interface AnswerSubject {
  /** Address of the API. */
  readonly url: string;
  /** Id of its process. */
  readonly pid: number;
  /** Checkpoint of a masked autoencoder for images of 28 x 28 pixels. */
  readonly checkpoint: string;
  /** Id of the data set. */
  readonly dataset: string;
}

/** Number of images that are asked for at once. */
const AT_ONCE = 500;
const JSON_TYPE = "application/json", PNG_TYPE = "image/png";

type Source = "data set" | "uploaded PNG";

/** Requests with `images` images each. */
async function bodiesOf(
  subject: AnswerSubject,
  source: Source,
  count: number,
  images: number,
): Promise<string[]> {
  return await Promise.all(Array.from({ length: count }, async (_, seed) => {
    const indices = Array.from({ length: images }, (_, i) => seed + i);
    const input = source === "data set"
      ? { dataset: { id: subject.dataset, indices } }
      : { pictures: await Promise.all(indices.map(pictureOf)) };
    return JSON.stringify({ checkpoint: subject.checkpoint, seed, ...input });
  }));
}

async function pictureOf(index: number): Promise<string> {
  return (await encodePng(drawDigit(0, "test", index).pixels, 28, 28, 1)).toBase64();
}

async function measure(
  { url, pid }: AnswerSubject,
  accept: string,
  bodies: readonly string[],
  counts: Pick<Load, "connections" | "warmUp" | "requests">,
  images = 1,
) {
  const { hostname, port } = new URL(url);
  const load = { hostname, port: Number(port), path: "/v1/reconstructions", accept, bodies, ...counts };
  // Two loads, so that the CPU time is that of the second alone.
  await loadProcess({ ...load, requests: 0 });
  const cpuBefore = await Promise.all([cpuSeconds(pid), childrenCpuSeconds(pid)]);
  const { ms, p50, p99, cpuMs } = await loadProcess({ ...load, warmUp: 0 });
  const cpuAfter = await Promise.all([cpuSeconds(pid), childrenCpuSeconds(pid)]);
  const perImage = (milliseconds: number) => round(milliseconds * 1e3 / (counts.requests * images), 0);
  return {
    p50_ms: round(p50, 2),
    p99_ms: round(p99, 2),
    images_per_second: round(counts.requests * images / ms * 1e3, 0),
    cpu_us_per_image: {
      api: perImage((cpuAfter[0] - cpuBefore[0]) * 1e3),
      inference: perImage((cpuAfter[1] - cpuBefore[1]) * 1e3),
      client: perImage(cpuMs),
    },
  };
}

/** Measures. A separate process sends the requests; on a machine with two cores it takes its time from the service. */
export async function answerFigures(subject: AnswerSubject): Promise<object> {
  const alone = { connections: 1, warmUp: 100, requests: 300 };
  const inFlight = { connections: AT_ONCE, warmUp: 8000, requests: 8000 };
  const large = { connections: 1, warmUp: 4, requests: 12 };
  const rows: object[] = [];
  for (const source of ["data set", "uploaded PNG"] as const) {
    const single = await bodiesOf(subject, source, AT_ONCE, 1);
    const together = await bodiesOf(subject, source, 1, AT_ONCE);
    for (const accept of [JSON_TYPE, PNG_TYPE]) {
      const row = { source, response: accept };
      rows.push({
        ...row,
        requests: "one at a time",
        ...await measure(subject, accept, single.slice(0, 1), alone),
      });
      const some = accept === JSON_TYPE && source === "data set"
        ? inFlight
        : { ...inFlight, warmUp: 1000, requests: 3000 };
      rows.push({
        ...row,
        requests: `${AT_ONCE} in flight`,
        ...await measure(subject, accept, single, some),
      });
      rows.push({
        ...row,
        requests: `one with ${AT_ONCE} images`,
        ...await measure(subject, accept, together, large, AT_ONCE),
      });
    }
  }
  return { reconstructions: rows };
}
