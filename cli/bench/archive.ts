/**
 * Measures the upload of an archive of small images.
 *
 * @module
 */
import { buffer } from "node:stream/consumers";
import { pack } from "tar-stream";
import { drawDigit } from "../../data/datasets/builtIn/drawDigit.ts";
import { createDataset } from "../../data/datasets/upload/createDataset.ts";
import { encodePng } from "../../data/images/encodePng.ts";
import { openStore } from "../../data/objects/open.ts";
import { type BenchOptions, integerOption } from "./options.ts";
import { round } from "./round.ts";

/** Number of different images; a larger archive repeats them. */
const DRAWN = 100;

/** The measurements. */
interface ArchiveFigures {
  /** Bytes of the tar. */
  readonly bytes: number;
  /** Time from the tar on disk to the stored data set. */
  readonly ms: number;
  /** Longest time for which the event loop was blocked, in milliseconds. */
  readonly longestBlockMs: number;
}

async function tarOf(images: number): Promise<Uint8Array> {
  const drawn = await Promise.all(
    Array.from({ length: DRAWN }, (_, i) => encodePng(drawDigit(0, "train", i).pixels, 28, 28, 1)),
  );
  const tar = pack();
  for (let i = 0; i < images; i++) {
    tar.entry({ name: `class${i % 10}/${i}.png` }, drawn[i % DRAWN] as unknown as string);
  }
  tar.finalize();
  return new Uint8Array(await buffer(tar as unknown as NodeJS.ReadableStream));
}

/** Measures the upload of `--images` images. */
export async function archive(options: BenchOptions): Promise<object> {
  const images = integerOption(options, "images"),
    { bytes, ms, longestBlockMs } = await archiveFigures(images);
  return {
    images,
    archive_bytes: bytes,
    seconds: round(ms / 1e3, 2),
    images_per_second: round(images / ms * 1e3),
    longest_block_ms: round(longestBlockMs),
  };
}

/** Uploads a tar of PNG files of 28 x 28 pixels into a folder. */
async function archiveFigures(images: number): Promise<ArchiveFigures> {
  const folder = await Deno.makeTempDir();
  try {
    const archive = await tarOf(images), path = `${folder}/images.tar`;
    await Deno.writeFile(path, archive);
    const files = [{ field: "archive", filename: "images.tar", path, size: archive.length }];
    const start = performance.now();
    let last = start, longestBlockMs = 0;
    const timer = setInterval(() => {
      const now = performance.now();
      longestBlockMs = Math.max(longestBlockMs, now - last);
      last = now;
    }, 1);
    await createDataset(files, {}, openStore({ url: `file:${folder}/objects` }));
    clearInterval(timer);
    return { bytes: archive.length, ms: performance.now() - start, longestBlockMs };
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
