/**
 * Detects the type of an image file by its first bytes.
 *
 * @module
 */

const SUPPORTED: readonly (readonly number[])[] = [
  [0x89, 0x50, 0x4e, 0x47, 0x0d, 0x0a, 0x1a, 0x0a],
  // For JPEG only the start marker is compared, because fill bytes may precede the next marker.
  [0xff, 0xd8],
];

/** Signatures of GIF, WebP (RIFF), BMP, TIFF in both byte orders, HEIF and AVIF, JPEG XL, PSD. */
const UNSUPPORTED: readonly (readonly [offset: number, text: string])[] = [
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

const EXTENSION =
  /\.(png|jpe?g|jpe|jfif|pjpeg|gif|webp|bmp|dib|tiff?|avif|hei[cf]|jxl|jp2|svgz?|ppm|pgm|pbm|tga)$/i;

function matches(bytes: Uint8Array, signature: ArrayLike<number>, offset = 0): boolean {
  for (let i = 0; i < signature.length; i++) if (bytes[offset + i] !== signature[i]) return false;
  return true;
}

/** Whether a file is a PNG or a JPEG, the supported types. @param head first bytes of the file */
export function isImage(head: Uint8Array): boolean {
  return SUPPORTED.some((signature) => matches(head, signature));
}

/** Whether a file has the extension of an image, or the signature of an unsupported type of image. */
export function looksLikeImage(path: string, head: Uint8Array): boolean {
  return EXTENSION.test(path) ||
    UNSUPPORTED.some(([offset, text]) =>
      matches(head, Array.from(text, (letter) => letter.charCodeAt(0)), offset)
    );
}
