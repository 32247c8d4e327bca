/**
 * Content negotiation, RFC 9110 section 12.5.1.
 *
 * @module
 */
import { ProblemError } from "./problem.ts";

interface Wanted {
  readonly type: string;
  readonly quality: number;
}

function parse(header: string): Wanted[] {
  return header.split(",").slice(0, 32).map((part) => {
    const [type, ...parameters] = part.split(";").map((text) => text.trim().toLowerCase());
    const quality = parameters.find((text) => text.startsWith("q="));
    const value = quality === undefined ? 1 : Number(quality.slice(2));
    return { type, quality: value >= 0 && value <= 1 ? value : 0 };
  }).filter((wanted) => wanted.type !== "");
}

/** The most specific range that covers a type decides its quality. */
function qualityOf(type: string, wanted: readonly Wanted[]): number {
  const group = `${type.split("/")[0]}/*`;
  for (const range of [type, group, "*/*"]) {
    const match = wanted.find((item) => item.type === range);
    if (match !== undefined) return match.quality;
  }
  return 0;
}

/**
 * The media type to answer with: the one the client likes best, on a tie the one offered first.
 *
 * @throws {ProblemError} 406 when none is acceptable; the detail lists the offers
 */
export function negotiate(header: string | undefined, offered: readonly string[]): string {
  if (header === undefined || header.trim() === "") return offered[0];
  const wanted = parse(header);
  const ranked = offered.map((type) => ({ type, quality: qualityOf(type, wanted) }))
    .sort((a, b) => b.quality - a.quality);
  if (ranked[0].quality > 0) return ranked[0].type;
  throw new ProblemError(
    406,
    `Accept '${header.slice(0, 80)}' matches nothing that is offered here: ${offered.join(", ")}`,
  );
}
