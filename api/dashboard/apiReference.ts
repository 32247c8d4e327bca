/**
 * The API reference: Swagger UI over `/openapi.json`, with its script and style from the npm package.
 *
 * @module
 */
import { pathToFileURL } from "node:url";
import absolutePath from "swagger-ui-dist/absolute-path.js";
import { type StaticFile, staticFile } from "./staticFile.ts";

const STATIC_FOLDER = new URL("./static/", import.meta.url);
const SWAGGER_UI_FOLDER = new URL(`${pathToFileURL(absolutePath() as string)}/`);

/** Files of `/docs` by their path on the server. */
export const DOCS_FILES: Record<string, StaticFile> = {
  "/docs": staticFile(new URL("docs.html", STATIC_FOLDER)),
  "/docs/docs.js": staticFile(new URL("docs.js", STATIC_FOLDER)),
  "/docs/docs.css": staticFile(new URL("docs.css", STATIC_FOLDER)),
  "/docs/swagger-ui.css": staticFile(new URL("swagger-ui.css", SWAGGER_UI_FOLDER)),
  "/docs/swagger-ui-bundle.js": staticFile(new URL("swagger-ui-bundle.js", SWAGGER_UI_FOLDER)),
};
