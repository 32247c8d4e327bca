/**
 * How images that are not square, or that have transparency, are converted to the input of a model.
 *
 * @module
 */

/**
 * How an image that is not square is resized. `crop` resizes its shorter side and keeps the middle square. `squash`
 * resizes both sides and changes the proportions. `pad` resizes its longer side and adds bars.
 */
export const RESIZES = ["crop", "squash", "pad"] as const;

/** One of {@linkcode RESIZES}. */
export type Resize = typeof RESIZES[number];

/** What `background` may be. */
export const BACKGROUND_PATTERN = /^(none|black|white|#[0-9a-fA-F]{6})$/;

/** The choices of an upload or a request. */
export interface ImageRule {
  readonly resize: Resize;
  /**
   * `none` removes transparency and keeps the colours of transparent pixels, as torchvision does. `black`, `white` or
   * `#rrggbb` is placed below the image. It is also the colour of the bars of `pad`, which are black for `none`.
   */
  readonly background: string;
}

/** The default rule. */
export const DEFAULT_RULE: ImageRule = { resize: "crop", background: "none" };

/** Fills in the defaults for fields that are not given. */
export function ruleOf(given: Partial<ImageRule>, otherwise: ImageRule = DEFAULT_RULE): ImageRule {
  return {
    resize: given.resize ?? otherwise.resize,
    background: given.background ?? otherwise.background,
  };
}

/** Properties of an image for the notes to the user. */
export interface ImageShape {
  readonly height: number;
  readonly width: number;
  /** Whether any pixel can be transparent. */
  readonly hasAlpha: boolean;
}

/** Note about the effect of the rule on images that are not square. */
export function resizeNote({ resize }: ImageRule): string {
  if (resize === "squash") return "both sides are resized and the proportions change (resize=squash)";
  if (resize === "pad") return "the whole is kept and bars are added (resize=pad)";
  return "only the middle square is kept (resize=crop); resize=pad or resize=squash keeps all of it";
}

/** Note about the effect of the rule on transparency. */
export function backgroundNote({ background }: ImageRule): string {
  return background === "none"
    ? "it is dropped and the colours below it are kept (background=none); give background=white or another colour to lay below"
    : `it shows the background (background=${background})`;
}
