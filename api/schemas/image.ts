/**
 * Fields that state how images that are not square or have transparency are converted.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { BACKGROUND_PATTERN, RESIZE_MODES } from "../../data/images/preprocessing.ts";

/** `resize` of a request. */
export const resizeField = z.enum(RESIZE_MODES).describe(
  "How an image that is not square is made square: `crop` resizes its shorter side and keeps the central square, " +
    "`squash` changes its proportions, `pad` keeps the whole image and adds bars in the background colour",
);

/** `background` of a request. */
export const backgroundField = z.string()
  .regex(BACKGROUND_PATTERN, "must be none, black, white or a colour such as #ff8000")
  .describe(
    "Colour that replaces transparency: `black`, `white` or a colour such as `#ff8000`. `none` drops transparency and " +
      "keeps the stored colours, as torchvision does. `pad` uses it for its bars, which are black for `none`",
  );

/** Fields of a response that report how images were converted. */
export const preprocessingFields = {
  resize: resizeField,
  background: backgroundField,
  notes: z.array(z.string()).describe(
    "How images that are not square or have transparency were converted, and what else is to be noted",
  ),
};
