/**
 * A real browser for tests.
 *
 * @module
 */
import { type Browser, chromium } from "playwright-core";
import { installPackage } from "./package.ts";
import { unavailable } from "./unavailable.ts";

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

async function found(): Promise<string | null> {
  for (const path of PATHS) {
    if (await Deno.stat(path).then(() => true, () => false)) return path;
  }
  return null;
}

/** Path of a Chromium; null (with the reason printed) when there is none; in CI it is installed, or an error. */
export async function findChromium(): Promise<string | null> {
  const path = await found();
  if (path) return path;
  const fault = await installPackage("chromium", "none of the usual paths has it");
  return await found() ?? unavailable("Chromium", fault ?? "apt-get installed none");
}

/** Starts a browser without a window. */
export async function launch(executablePath: string): Promise<Browser> {
  return await chromium.launch({ executablePath, chromiumSandbox: false, headless: true });
}
