/**
 * Content negotiation (RFC 9110 section 12.5.1).
 *
 * Hono's `accepts` and the npm package `negotiator` differ from it in ways that clients would notice: Hono reads an
 * invalid quality as 1, and `negotiator` rejects `application/json;charset=utf-8` and follows the order of the header.
 *
 * @module
 */
import { ProblemError } from "./problem.ts";

interface MediaRange {
  /** In lower case, without parameters, such as `image/png`. */
  readonly type: string;
  readonly quality: number;
}

/** Parses the first 32 media ranges of an Accept header. An invalid quality counts as 0. */
function parseAccept(header: string): MediaRange[] {
  return header.split(",").slice(0, 32).map((part) => {
    const [type, ...parameters] = part.split(";").map((text) => text.trim().toLowerCase());
    const quality = parameters.find((text) => text.startsWith("q="));
    const value = quality === undefined ? 1 : Number(quality.slice(2));
    return { type, quality: value >= 0 && value <= 1 ? value : 0 };
  }).filter(({ type }) => type !== "");
}

/** Returns the quality of the most specific range that matches a type; 0 when none does. */
function qualityOf(type: string, ranges: readonly MediaRange[]): number {
  for (const pattern of [type, `${type.split("/")[0]}/*`, "*/*"]) {
    const range = ranges.find((candidate) => candidate.type === pattern);
    if (range !== undefined) return range.quality;
  }
  return 0;
}

/**
 * Returns the offered media type with the highest quality; among equals, the one offered first.
 *
 * @throws {ProblemError} 406 when none is acceptable; the detail lists the offered types
 */
export function negotiateMediaType(header: string | undefined, offered: readonly string[]): string {
  if (header === undefined || header.trim() === "") return offered[0];
  const ranges = parseAccept(header);
  const ranked = offered.map((type) => ({ type, quality: qualityOf(type, ranges) }))
    .sort((a, b) => b.quality - a.quality);
  if (ranked[0].quality > 0) return ranked[0].type;
  throw new ProblemError(
    406,
    `Accept must allow one of ${offered.join(", ")}: current value is '${header.slice(0, 80)}'`,
  );
}
