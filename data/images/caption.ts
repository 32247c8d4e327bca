/**
 * Captions of figures.
 *
 * @module
 */
import { GLYPHS } from "./captionGlyphs.ts";
import { loadSharp } from "./imageFile.ts";

/** Height of a caption in pixels, and its largest font size. */
export const CAPTION_HEIGHT = 24;
const FONT_SIZE = 15;
/** Distance from the upper edge to the baseline. */
const BASELINE = 16;

/** Maximum number of kept captions. */
const MAX_CAPTIONS = 64;
const captions = new Map<string, Promise<Uint8Array>>();

const widthOf = (text: string) => [...text].reduce((sum, letter) => sum + GLYPHS[letter].advance, 0) / 100;

/** Returns the font size at which each of some texts fits into a width, in pixels. */
export function captionFontSize(texts: readonly string[], width: number): number {
  return Math.min(FONT_SIZE, width / Math.max(...texts.map(widthOf)));
}

/**
 * Draws a text in the middle of a white area, in black.
 *
 * @param text of letters in `GLYPHS`
 * @returns `[CAPTION_HEIGHT, width]`, 0 to 255; it is cached, so do not write to it
 */
export function renderCaption(text: string, width: number, fontSize: number): Promise<Uint8Array> {
  const key = `${text} ${width} ${fontSize}`;
  let caption = captions.get(key);
  if (!caption) {
    if (captions.size === MAX_CAPTIONS) captions.clear();
    captions.set(key, caption = draw(text, width, fontSize));
    caption.catch(() => captions.delete(key));
  }
  return caption;
}

async function draw(text: string, width: number, fontSize: number): Promise<Uint8Array> {
  let x = 0;
  const paths = [...text].map((letter) => {
    const { advance, outline } = GLYPHS[letter];
    const path = `<path transform="translate(${x} 0)" d="${outline}"/>`;
    x += advance;
    return path;
  });
  const scale = fontSize / 100, left = (width - x * scale) / 2;
  const svg = `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${CAPTION_HEIGHT}">` +
    `<rect width="100%" height="100%" fill="white"/>` +
    `<g transform="translate(${left} ${BASELINE}) scale(${scale})">${paths.join("")}</g></svg>`;
  const sharp = await loadSharp();
  return await sharp(new TextEncoder().encode(svg)).flatten({ background: "white" }).toColourspace("b-w")
    .raw()
    .toBuffer();
}
