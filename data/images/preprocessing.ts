/**
 * Options for the conversion of images that are not square, or that have transparency, to the input of a model.
 *
 * @module
 */

/**
 * Methods to make an image square. `crop` resizes the shorter side and keeps the middle square. `squash` resizes both
 * sides and changes the proportions. `pad` resizes the longer side and adds bars.
 */
export const RESIZE_MODES = ["crop", "squash", "pad"] as const;

/** One of {@linkcode RESIZE_MODES}. */
export type ResizeMode = typeof RESIZE_MODES[number];

/** Allowed values of `background`. */
export const BACKGROUND_PATTERN = /^(none|black|white|#[0-9a-fA-F]{6})$/;

/** How an image is converted to the input of a model. */
export interface ImagePreprocessing {
  readonly resize: ResizeMode;
  /**
   * `none` removes the alpha channel and keeps the colours of transparent pixels, as torchvision does. `black`, `white`
   * or `#rrggbb` is placed below the image. The bars of `pad` have the same colour; they are black for `none`.
   */
  readonly background: string;
}

/** The default: `crop` and `none`. */
export const DEFAULT_PREPROCESSING: ImagePreprocessing = { resize: "crop", background: "none" };

/** Fills in the missing options. */
export function resolvePreprocessing(
  options: Partial<ImagePreprocessing>,
  defaults: ImagePreprocessing = DEFAULT_PREPROCESSING,
): ImagePreprocessing {
  return {
    resize: options.resize ?? defaults.resize,
    background: options.background ?? defaults.background,
  };
}

/** Describes the effect of `resize` on images that are not square, for a note to the user. */
export function resizeNote({ resize }: ImagePreprocessing): string {
  if (resize === "squash") return "both sides are resized and the proportions change (resize=squash)";
  if (resize === "pad") return "the whole image is kept and bars are added (resize=pad)";
  return "only the middle square is kept (resize=crop); resize=pad or resize=squash keeps all of it";
}

/** Describes the effect of `background` on transparency, for a note to the user. */
export function backgroundNote({ background }: ImagePreprocessing): string {
  return background === "none"
    ? "the alpha channel is dropped and the colours of transparent pixels are kept (background=none); " +
      "background=white or another colour is placed below the image instead"
    : `transparent pixels show the background (background=${background})`;
}
