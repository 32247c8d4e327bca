/**
 * Validation of the paths in an archive, and detection of hidden files and files made by tools.
 *
 * @module
 */
import { DatasetError } from "../dataset.ts";
import { hasInvisibleCharacters, quoted } from "../quoted.ts";

/** Maximum number of characters of a path. */
const MAX_PATH_LENGTH = 1024;

/** Lower-case names of folders and files that desktops, file servers and notebooks create. */
const TOOL_NAMES: ReadonlySet<string> = new Set([
  "__macosx",
  "icon\r",
  "desktop db",
  "desktop df",
  "network trash folder",
  "temporary items",
  "thumbs.db",
  "ehthumbs.db",
  "ehthumbs_vista.db",
  "desktop.ini",
  "picasa.ini",
  "$recycle.bin",
  "system volume information",
  "found.000",
  "@eadir",
  "@__thumb",
  "_gsdata_",
  "@tmp",
  "@recycle",
  "@recently-snapshot",
  "#recycle",
  "#snapshot",
  "lost+found",
  "__pycache__",
]);

/** Whether a segment of a path is hidden or made by a tool. */
export function isHiddenPath(path: string): boolean {
  return path.split("/").some((segment) =>
    segment.startsWith(".") || segment.endsWith("~") || TOOL_NAMES.has(segment.toLowerCase())
  );
}

/**
 * Normalizes the name of an entry to segments separated by `/`, in Unicode normal form C. No segment is empty, `.` or `..`,
 * so the path cannot leave the folder of the archive on any system.
 *
 * @throws {DatasetError} with the name of the entry
 */
export function normalizePath(name: string, field: string): string {
  const error = (fault: string) => new DatasetError(`contains ${quoted(name)}, ${fault}`, field);
  if (name.length > MAX_PATH_LENGTH) throw error(`a name of more than ${MAX_PATH_LENGTH} characters`);
  if (name.includes("\ufffd")) throw error("a name that is not in UTF-8");
  // On macOS the name of a folder's icon file ends in a carriage return.
  if (hasInvisibleCharacters(name.replace(/(?<=(^|\/)Icon)\r$/, ""))) {
    throw error("a name with control, direction or other invisible characters");
  }
  if (name.includes("\\")) throw error("a name with a backslash");
  if (/^(\/|[A-Za-z]:)/.test(name)) throw error("an absolute path or one with a drive letter");
  const segments = name.split("/").filter((segment) => segment !== "" && segment !== ".");
  if (segments.includes("..")) throw error("a path that leaves the archive");
  return segments.join("/").normalize("NFC");
}
