/**
 * The two web pages: the dashboard at `/` and the API reference at `/docs`. They load all their files from this server,
 * and their content security policies allow nothing else.
 *
 * @module
 */
import { Hono } from "hono";
import type { Context } from "hono";
import { etag } from "hono/etag";
import { secureHeaders } from "hono/secure-headers";
import { DOCS_FILES } from "./apiReference.ts";
import type { StaticFile } from "./staticFile.ts";
import { staticFile } from "./staticFile.ts";

const STATIC_FOLDER = new URL("./static/", import.meta.url);

/** Names of the dashboard's JavaScript modules. */
const MODULES = [
  "app",
  "api",
  "chart",
  "checkpoint",
  "detail",
  "elements",
  "form",
  "imports",
  "joblist",
  "reconstruct",
  "series",
];

/** Files of the dashboard by their path on the server. */
const DASHBOARD_FILES: Record<string, StaticFile> = {
  "/": staticFile(new URL("index.html", STATIC_FOLDER)),
  "/dashboard/dashboard.css": staticFile(new URL("dashboard.css", STATIC_FOLDER)),
  "/dashboard/icon.svg": staticFile(new URL("icon.svg", STATIC_FOLDER)),
  ...Object.fromEntries(
    MODULES.map((name) => [`/dashboard/${name}.js`, staticFile(new URL(`${name}.js`, STATIC_FOLDER))]),
  ),
};

/** Content security policy: scripts, styles, images and connections of this server only. */
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

/** Policy of the API reference, because Swagger UI sets `style` attributes and has fonts in data URLs. */
const DOCS_POLICY = { ...POLICY, styleSrc: ["'self'", "'unsafe-inline'"], fontSrc: ["'self'", "data:"] };

async function sendFile(context: Context, file: StaticFile): Promise<Response> {
  context.header("Content-Type", file.contentType);
  context.header("Cache-Control", "no-cache");
  return context.body(await file.read());
}

/** Creates the security headers of a page. HSTS is left to the proxy that terminates TLS. */
function securityHeaders(policy: typeof POLICY) {
  return secureHeaders({
    contentSecurityPolicy: policy,
    strictTransportSecurity: false,
    referrerPolicy: "same-origin",
    xFrameOptions: "DENY",
  });
}

/** The pages `/` and `/docs` with all their files, to be mounted at the root of the application. */
export const pages: Hono = new Hono();

for (const [path, file] of Object.entries(DASHBOARD_FILES)) {
  pages.get(path, securityHeaders(POLICY), etag(), (context) => sendFile(context, file));
}
for (const [path, file] of Object.entries(DOCS_FILES)) {
  pages.get(path, securityHeaders(DOCS_POLICY), etag(), (context) => sendFile(context, file));
}
pages.get("/favicon.ico", (context) => context.redirect("/dashboard/icon.svg", 308));
