/**
 * Quotes the names of files and folders in messages.
 *
 * @module
 */

/** Joiners after the character that they join. Persian, Hindi and emoji need them. */
const JOINERS = /(?<=[\p{L}\p{M}\p{Emoji}])[\u200c\u200d]/gu;

/** Whether a text has control, direction or other invisible characters. Joiners and emoji are allowed. */
export function hasInvisibleCharacters(text: string): boolean {
  return /\p{C}/u.test(text.replace(/\p{RGI_Emoji}/gv, "").replace(JOINERS, ""));
}

/** Quotes a name for a message. It is shortened, and invisible characters are replaced. */
export function quoted(name: string): string {
  const safe = hasInvisibleCharacters(name) ? name.replace(/\p{C}/gu, "?") : name;
  return `'${safe.slice(0, 120).replace(/[\ud800-\udbff]$/, "")}'`;
}

/** Quotes up to six names for a message. */
export function quotedList(names: Iterable<string>): string {
  const all = [...names];
  return all.slice(0, 6).map(quoted).join(", ") + (all.length > 6 ? ` and ${all.length - 6} more` : "");
}
