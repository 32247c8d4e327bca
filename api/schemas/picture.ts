/**
 * The choices of what becomes of images that are not square or transparent, the same in every request.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { BACKGROUND_PATTERN, RESIZES } from "../../data/pictureRule.ts";

/** `resize` of a request. */
export const resizeField = z.enum(RESIZES).describe(
  "What becomes of an image that is not square: `crop` resizes its shorter side and keeps the middle square, " +
    "`squash` changes its proportions, `pad` keeps all of it between bars of the background",
);

/** `background` of a request. */
export const backgroundField = z.string()
  .regex(BACKGROUND_PATTERN, "must be none, black, white or a colour as #ff8000")
  .describe(
    "What is laid below transparency: `black`, `white` or a colour as `#ff8000`. `none` drops transparency and keeps " +
      "the colours below it, as torchvision does. Also the colour of the bars of `pad`, which are black for `none`",
  );

/** What an answer says of its images. */
export const pictureAnswer = {
  resize: resizeField,
  background: backgroundField,
  notes: z.array(z.string()).describe(
    "What was done with images that were not square or transparent, and what else was decided while the upload was read",
  ),
};
