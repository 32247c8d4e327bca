/**
 * Checks of the Markdown documents: links, paths of files, and the length of the README.
 *
 * @module
 */

import { existsSync, globSync } from "node:fs";
import { dirname, join } from "node:path";

/** Maximum number of words in the README. */
export const README_MAX_WORDS = 900;

/** Folders whose files the documents name by paths from the root of the repository. */
const FOLDERS = /^(api|cli|data|docs|jobs|model|tests)\/[\w./-]*$/;

/** Returns the documents by path. */
export function readDocuments(): Map<string, string> {
  const paths = ["README.md", ...globSync("docs/*.md")].sort();
  return new Map(paths.map((path) => [path, Deno.readTextFileSync(path)]));
}

/** Returns what is wrong with the documents, as `file: message`. */
export function documentIssues(documents: ReadonlyMap<string, string>): string[] {
  return [...documents].flatMap(([path, text]) => {
    const prose = text.replace(/^```.*?^```$/gms, "");
    const issues = [...brokenLinks(path, prose, documents), ...missingPaths(prose)];
    const words = text.split(/\s+/).filter(Boolean).length;
    if (path === "README.md" && words > README_MAX_WORDS) {
      issues.push(`has ${words} words, more than ${README_MAX_WORDS}`);
    }
    return issues.map((issue) => `${path}: ${issue}`);
  });
}

function brokenLinks(path: string, prose: string, documents: ReadonlyMap<string, string>): string[] {
  const targets = [...prose.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target]) => target);
  return targets.filter((target) => !/^[a-z]+:/.test(target)).flatMap((target) => {
    const [file, heading] = target.split("#");
    const linked = file === "" ? path : join(dirname(path), file);
    if (!existsSync(linked)) return [`the link to ${target} leads to no file`];
    if (heading === undefined || headingIds(documents.get(linked) ?? "").includes(heading)) return [];
    return [`the link to ${target} leads to no heading`];
  });
}

/** Returns the anchors that GitHub gives the headings of a document. */
function headingIds(text: string): string[] {
  const headings = [...text.matchAll(/^#+ (.*)$/gm)].map(([, heading]) => heading);
  return headings.map((heading) => heading.toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-"));
}

/** Returns the paths in code spans that do not exist. */
function missingPaths(prose: string): string[] {
  const spans = [...prose.matchAll(/`([^`\n]+)`/g)].map(([, span]) => span);
  return spans.filter((span) => FOLDERS.test(span) && !existsSync(span))
    .map((span) => `the path ${span} does not exist`);
}
