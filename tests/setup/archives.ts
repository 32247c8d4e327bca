/**
 * Archives of images for uploads.
 *
 * @module
 */
import { buffer } from "node:stream/consumers";
import { type Header, pack } from "tar-stream";
import type { Bytes } from "../../data/bytes.ts";
import { encodePng } from "../../data/images/encodePng.ts";
import { zipOf } from "./zip.ts";

/** Encodes an image of one grey value. */
export const flat = async (value: number, size = 4): Promise<Bytes> =>
  await encodePng(new Uint8Array(size * size).fill(value), size, size, 1);

const dark = await flat(10);

/** An entry of a tar with any header. The default content is a small image. */
export type TarEntry = Partial<Header> & { readonly bytes?: Bytes };

/** Creates a tar. */
export async function tarOf(...entries: TarEntry[]): Promise<Bytes> {
  const tar = pack();
  for (const { bytes = dark, ...header } of entries) {
    if ((header.type ?? "file") !== "file") tar.entry(header as Header);
    else tar.entry(header as Header, bytes as unknown as string);
  }
  tar.finalize();
  return new Uint8Array(await buffer(tar as unknown as NodeJS.ReadableStream));
}

/** Creates a zip with a different small image at each path. */
export async function zipOfImages(...paths: string[]): Promise<Bytes> {
  return zipOf(
    await Promise.all(
      paths.map(async (name, i) => ({ name, bytes: await flat(i % 256, 4 + Math.floor(i / 256)) })),
    ),
  );
}
