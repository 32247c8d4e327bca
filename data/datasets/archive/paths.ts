/**
 * Names of files in an archive: which names are safe to use, and which files are made by tools and are not data.
 *
 * @module
 */
import { DatasetError } from "../dataset.ts";

/** Most characters of a path in an archive. */
export const MAX_PATH_LENGTH = 1024;

/** Joiners after the character that they join. Persian, Hindi and emoji need them. */
const JOINERS = /(?<=[\p{L}\p{M}\p{Emoji}])[\u200c\u200d]/gu;

/** Removes the invisible characters that writing systems and emoji need. */
function withoutJoiners(text: string): string {
  return text.replace(/\p{RGI_Emoji}/gv, "").replace(JOINERS, "");
}

/** True for control, direction and other invisible characters; joiners and emoji are allowed. */
export function hasInvisibleCharacters(text: string): boolean {
  return /\p{C}/u.test(withoutJoiners(text));
}

/** The name of an entry for a message, made safe so that it cannot break the line or the answer. */
export function quoted(name: string): string {
  const safe = hasInvisibleCharacters(name) ? name.replace(/\p{C}/gu, "?") : name;
  return `'${safe.slice(0, 120).replace(/[\ud800-\udbff]$/, "")}'`;
}

/** Names of folders and files that desktops, file servers and notebooks create, in lower case. */
const TOOL_MADE: ReadonlySet<string> = new Set([
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

/** True for a path with a hidden part or a part that a tool made. */
export function isIgnoredPath(path: string): boolean {
  return path.split("/").some((segment) =>
    segment.startsWith(".") || segment.endsWith("~") || TOOL_MADE.has(segment.toLowerCase())
  );
}

/**
 * The path of an entry: segments separated by `/`, none of them empty, `.` or `..`, in Unicode's form NFC. It cannot
 * leave the archive's folder on any system.
 *
 * @throws {DatasetError} naming the entry
 */
export function normalizePath(name: string, field: string): string {
  const wrong = (why: string) => new DatasetError(`holds ${quoted(name)}, ${why}`, field);
  if (name.length > MAX_PATH_LENGTH) throw wrong(`a name of more than ${MAX_PATH_LENGTH} characters`);
  if (name.includes("\ufffd")) throw wrong("a name that is not in UTF-8");
  // On macOS the name of a folder's icon file ends in a carriage return.
  if (hasInvisibleCharacters(name.replace(/(?<=(^|\/)Icon)\r$/, ""))) {
    throw wrong("a name with control, direction or other invisible characters");
  }
  if (name.includes("\\")) throw wrong("a name with a backslash");
  if (/^(\/|[A-Za-z]:)/.test(name)) throw wrong("an absolute path or one with a drive letter");
  const segments = name.split("/").filter((segment) => segment !== "" && segment !== ".");
  if (segments.includes("..")) throw wrong("a path that leaves the archive");
  return segments.join("/").normalize("NFC");
}
