/**
 * How a picture of another shape, or with transparency, becomes what a model takes.
 *
 * @module
 */

/**
 * What becomes of a picture that is not square: `crop` resizes its shorter side and keeps the middle square, `squash`
 * resizes both sides and changes its proportions, `pad` resizes its longer side and adds bars.
 */
export const RESIZES = ["crop", "squash", "pad"] as const;

/** One of {@linkcode RESIZES}. */
export type Resize = typeof RESIZES[number];

/** What `background` may be. */
export const BACKGROUND_PATTERN = /^(none|black|white|#[0-9a-fA-F]{6})$/;

/** The choices of an upload or a request. */
export interface PictureRule {
  readonly resize: Resize;
  /**
   * `none` drops transparency and keeps the colours below it, as torchvision does; `black`, `white` or `#rrggbb` is laid
   * below the picture. It is the colour of `pad`'s bars too, which are black for `none`.
   */
  readonly background: string;
}

/** The rule where nothing else is asked for. */
export const DEFAULT_RULE: PictureRule = { resize: "crop", background: "none" };

/** A rule with defaults for what is not given. */
export function ruleOf(given: Partial<PictureRule>, otherwise: PictureRule = DEFAULT_RULE): PictureRule {
  return {
    resize: given.resize ?? otherwise.resize,
    background: given.background ?? otherwise.background,
  };
}

/** What must be said about one picture. */
export interface PictureShape {
  readonly height: number;
  readonly width: number;
  /** Whether any pixel can be transparent. */
  readonly hasAlpha: boolean;
}

/** What the rule does to a picture that is not square. */
export function resizeNote({ resize }: PictureRule): string {
  if (resize === "squash") return "both sides are resized and the proportions change (resize=squash)";
  if (resize === "pad") return "the whole is kept and bars are added (resize=pad)";
  return "only the middle square is kept (resize=crop); resize=pad or resize=squash keeps all of it";
}

/** What the rule does to transparency. */
export function backgroundNote({ background }: PictureRule): string {
  return background === "none"
    ? "it is dropped and the colours below it are kept (background=none); give background=white or another colour to lay below"
    : `it shows the background (background=${background})`;
}
