/**
 * Detects the kind of an image by its first bytes.
 *
 * @module
 */

const READ: readonly (readonly number[])[] = [
  [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
  // For JPEG only the start is compared, because stray bytes may precede the next marker.
  [0xff, 0xd8],
];

/** First bytes, with their offset, of GIF, WebP (RIFF), BMP, TIFF in both byte orders, HEIF and AVIF, JPEG XL, PSD. */
const NOT_READ: readonly (readonly [at: number, text: string])[] = [
  [0, "GIF8"],
  [8, "WEBP"],
  [0, "II*\0"],
  [0, "MM\0*"],
  [4, "ftypavif"],
  [4, "ftyphei"],
  [4, "ftypmif1"],
  [0, "\xff\n\xfa"],
  [4, "JXL \r\n"],
  [0, "8BPS"],
];

const IMAGE_NAME =
  /\.(png|jpe?g|jpe|jfif|pjpeg|gif|webp|bmp|dib|tiff?|avif|hei[cf]|jxl|jp2|svgz?|ppm|pgm|pbm|tga)$/i;

const begins = (bytes: Uint8Array, magic: ArrayLike<number>, from = 0): boolean => {
  for (let at = 0; at < magic.length; at++) if (bytes[from + at] !== magic[at]) return false;
  return true;
};

/** True for bytes that begin as PNG or JPEG, the supported kinds of images. */
export function isImage(head: Uint8Array): boolean {
  return READ.some((magic) => begins(head, magic));
}

/** True for a file with the name of an image, or with the first bytes of an unsupported kind of image. */
export function looksLikeImage(path: string, head: Uint8Array): boolean {
  return IMAGE_NAME.test(path) ||
    NOT_READ.some(([at, text]) => begins(head, Array.from(text, (letter) => letter.charCodeAt(0)), at));
}
