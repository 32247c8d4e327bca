/**
 * Names of files in an archive: which are safe to use, and which belong to tools and not to the data.
 *
 * @module
 */
import { DatasetError } from "../dataset.ts";

/** Most characters of a path in an archive. */
export const LONGEST_PATH = 1024;

/** Joiners that Persian, Hindi and emoji are written with, behind the character that they join. */
const JOINERS = /(?<=[\p{L}\p{M}\p{Emoji}])[\u200c\u200d]/gu;

/** What is left of a text without the invisible characters that writing needs. */
function withoutJoiners(text: string): string {
  return text.replace(/\p{RGI_Emoji}/gv, "").replace(JOINERS, "");
}

/** True for control, direction and other invisible characters; joiners and emoji are allowed. */
export function hasInvisible(text: string): boolean {
  return /\p{C}/u.test(withoutJoiners(text));
}

/** How an entry is shown in a message: a name of an attacker's making cannot break the line or the answer. */
export function shown(name: string): string {
  const safe = hasInvisible(name) ? name.replace(/\p{C}/gu, "?") : name;
  return `'${safe.slice(0, 120).replace(/[\ud800-\udbff]$/, "")}'`;
}

/** Folders and files that desktops, file servers and notebooks make, in lower case. */
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

/** True for what is hidden or made by a tool, or lies in a folder that is. */
export function isToolMade(path: string): boolean {
  return path.split("/").some((segment) =>
    segment.startsWith(".") || segment.endsWith("~") || TOOL_MADE.has(segment.toLowerCase())
  );
}

/**
 * The path of an entry: segments between `/`, none of them empty, `.` or `..`, in Unicode's form NFC. It stays inside
 * the archive's folder on every system.
 *
 * @throws {DatasetError} naming the entry
 */
export function checkedPath(name: string, field: string): string {
  const wrong = (why: string) => new DatasetError(`holds ${shown(name)}, ${why}`, field);
  if (name.length > LONGEST_PATH) throw wrong(`a name of more than ${LONGEST_PATH} characters`);
  if (name.includes("\ufffd")) throw wrong("a name that is not in UTF-8");
  // macOS ends the name of a folder's icon in a carriage return.
  if (hasInvisible(name.replace(/(?<=(^|\/)Icon)\r$/, ""))) {
    throw wrong("a name with control, direction or other invisible characters");
  }
  if (name.includes("\\")) throw wrong("a name with a backslash");
  if (/^(\/|[A-Za-z]:)/.test(name)) throw wrong("an absolute path or one with a drive letter");
  const segments = name.split("/").filter((segment) => segment !== "" && segment !== ".");
  if (segments.includes("..")) throw wrong("a path that leaves the archive");
  return segments.join("/").normalize("NFC");
}
