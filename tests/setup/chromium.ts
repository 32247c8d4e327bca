/**
 * A real browser for tests.
 *
 * @module
 */
import { type Browser, chromium } from "playwright-core";
import { installPackage } from "./package.ts";
import { unavailable } from "./unavailable.ts";

const PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

async function installedPath(): Promise<string | null> {
  for (const path of PATHS) {
    if (await Deno.stat(path).then(() => true, () => false)) return path;
  }
  return null;
}

/**
 * Finds a Chromium. In CI it is installed if necessary.
 *
 * @returns its path, or null when it is unavailable; see {@linkcode unavailable}
 */
export async function findChromium(): Promise<string | null> {
  const path = await installedPath();
  if (path) return path;
  const fault = await installPackage("chromium", `none of ${PATHS.join(", ")} exists`);
  return await installedPath() ?? unavailable("Chromium", fault ?? "apt-get did not install it");
}

/** Starts a headless browser. */
export async function launch(executablePath: string): Promise<Browser> {
  return await chromium.launch({ executablePath, chromiumSandbox: false, headless: true });
}
