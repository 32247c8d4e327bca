/**
 * The API reference: Swagger UI over `/openapi.json`, with its script and style served from the package itself.
 *
 * @module
 */
import { pathToFileURL } from "node:url";
import absolutePath from "swagger-ui-dist/absolute-path.js";
import { type PageFile, pageFile } from "./staticFile.ts";

const HERE = new URL("./static/", import.meta.url);
const PACKAGE = new URL(`${pathToFileURL(absolutePath() as string)}/`);

/** Path on the server → file, for `/docs`. */
export const DOCS_FILES: Record<string, PageFile> = {
  "/docs": pageFile(new URL("docs.html", HERE)),
  "/docs/docs.js": pageFile(new URL("docs.js", HERE)),
  "/docs/docs.css": pageFile(new URL("docs.css", HERE)),
  "/docs/swagger-ui.css": pageFile(new URL("swagger-ui.css", PACKAGE)),
  "/docs/swagger-ui-bundle.js": pageFile(new URL("swagger-ui-bundle.js", PACKAGE)),
};
