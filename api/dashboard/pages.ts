/**
 * The two pages people open in a browser: the dashboard at `/` and the API reference at `/docs`. Everything they
 * load comes from this server, and their content security policies allow nothing else.
 *
 * @module
 */
import { Hono } from "hono";
import type { Context } from "hono";
import { etag } from "hono/etag";
import { secureHeaders } from "hono/secure-headers";
import { DOCS_FILES } from "./apiReference.ts";
import type { PageFile } from "./staticFile.ts";
import { pageFile } from "./staticFile.ts";

const HERE = new URL("./static/", import.meta.url);

/** Path on the server → file, for the dashboard. */
const DASHBOARD_FILES: Record<string, PageFile> = {
  "/": pageFile(new URL("index.html", HERE)),
  "/dashboard/dashboard.css": pageFile(new URL("dashboard.css", HERE)),
  "/dashboard/icon.svg": pageFile(new URL("icon.svg", HERE)),
  ...Object.fromEntries(
    ["app", "api", "chart", "detail", "elements", "form", "joblist", "reconstruct", "series"].map((name) => [
      `/dashboard/${name}.js`,
      pageFile(new URL(`${name}.js`, HERE)),
    ]),
  ),
};

/** What both pages may do: their own scripts and images, talk to their own server, and nothing else. */
const POLICY = {
  defaultSrc: ["'none'"],
  scriptSrc: ["'self'"],
  styleSrc: ["'self'"],
  imgSrc: ["'self'", "blob:", "data:"],
  connectSrc: ["'self'"],
  formAction: ["'none'"],
  baseUri: ["'none'"],
  frameAncestors: ["'none'"],
};

/** Swagger UI sets `style` attributes and downloads examples as blobs. */
const DOCS_POLICY = { ...POLICY, styleSrc: ["'self'", "'unsafe-inline'"], fontSrc: ["'self'", "data:"] };

async function answer(context: Context, file: PageFile): Promise<Response> {
  context.header("Content-Type", file.contentType);
  context.header("Cache-Control", "no-cache");
  return context.body(await file.read());
}

/** Headers that belong on every page; HSTS is left to whatever ends TLS in front of this server. */
function headers(policy: typeof POLICY) {
  return secureHeaders({
    contentSecurityPolicy: policy,
    strictTransportSecurity: false,
    referrerPolicy: "same-origin",
    xFrameOptions: "DENY",
  });
}

/** `/` and `/docs` with all they load; mounted at the root of the API's application. */
export const pages: Hono = new Hono();

for (const [path, file] of Object.entries(DASHBOARD_FILES)) {
  pages.get(path, headers(POLICY), etag(), (context) => answer(context, file));
}
for (const [path, file] of Object.entries(DOCS_FILES)) {
  pages.get(path, headers(DOCS_POLICY), etag(), (context) => answer(context, file));
}
pages.get("/favicon.ico", (context) => context.redirect("/dashboard/icon.svg", 308));
