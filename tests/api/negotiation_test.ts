import { expect } from "expect";
import { negotiateMediaType } from "../../api/http/negotiation.ts";
import { parseIdempotencyKey } from "../../api/http/idempotency.ts";
import { parsePreferWait } from "../../api/http/preferWait.ts";
import { matchesEtag, parseRange } from "../../api/http/ranges.ts";

const offered = ["application/json", "image/png"];

Deno.test("Accept selects the offered media type with the highest quality", () => {
  const cases: [string | undefined, string | null][] = [
    [undefined, "application/json"],
    ["*/*", "application/json"],
    ["image/png", "image/png"],
    ["image/*;q=0.9, application/json;q=0.5", "image/png"],
    ["image/png;q=0, */*", "application/json"],
    ["IMAGE/PNG", "image/png"],
    ["text/plain", null],
    ["application/json;q=0", null],
    ["image/png;q=abc", null],
  ];
  for (const [header, expected] of cases) {
    const chosen = () => negotiateMediaType(header, offered);
    if (expected === null) expect(chosen).toThrow("must allow one of application/json, image/png");
    else expect([header, chosen()]).toEqual([header, expected]);
  }
});

Deno.test("Range selects the requested bytes, or the whole content if it may be ignored", () => {
  const part = (range?: string, ifRange?: string, size = 100) => parseRange(range, ifRange, '"e"', size);
  expect(part("bytes=0-9")).toEqual({ start: 0, end: 9 });
  expect(part("bytes=90-")).toEqual({ start: 90, end: 99 });
  expect(part("bytes=90-1000")).toEqual({ start: 90, end: 99 });
  expect(part("bytes=-10")).toEqual({ start: 90, end: 99 });
  expect(part("bytes=-1000")).toEqual({ start: 0, end: 99 });
  expect(part("bytes=0-9", '"e"')).toEqual({ start: 0, end: 9 });
  for (const ignored of [undefined, "bytes=0-1,5-6", "lines=0-1", "bytes=9-0", "bytes=-", "bytes=a-b", "x"]) {
    expect([ignored, part(ignored)]).toEqual([ignored, null]);
  }
  expect(part("bytes=0-9", '"other"')).toBe(null);
  expect(part("bytes=0-9", 'W/"e"')).toBe(null);
  for (const past of ["bytes=100-", "bytes=100-200", "bytes=-0", "bytes=9007199254740993-"]) {
    expect(() => part(past)).toThrow("past the end");
  }
  expect(() => part("bytes=0-", undefined, 0)).toThrow("past the end");
});

Deno.test("If-None-Match finds the tag in a list, weak or strong", () => {
  expect(["*", '"a"', 'W/"a"', '"b", "a"'].map((header) => matchesEtag(header, '"a"')))
    .toEqual([true, true, true, true]);
  expect([undefined, '"b"', "a"].map((header) => matchesEtag(header, '"a"'))).toEqual([false, false, false]);
});

Deno.test("Prefer: wait is a whole number of seconds up to the limit", () => {
  expect(
    [undefined, "return=minimal", "wait=0", "respond-async, wait=60", 'wait="5"'].map((header) =>
      parsePreferWait(header, 60)
    ),
  ).toEqual([undefined, undefined, 0, 60, 5]);
  for (const wrong of ["wait=-1", "wait=1e9", "wait=abc", "wait=61", "wait", "wait=", "wait=1.5"]) {
    expect(() => parsePreferWait(wrong, 60)).toThrow("whole number of seconds from 0 to 60");
  }
});

Deno.test("an idempotency key is accepted bare or quoted, and rejected if it is empty, too long or not ASCII", () => {
  expect(parseIdempotencyKey(undefined)).toBe(undefined);
  expect(parseIdempotencyKey('"abc"')).toBe(parseIdempotencyKey("abc"));
  for (const wrong of ["", '""', "a b", "ä", "k".repeat(256)]) {
    expect(() => parseIdempotencyKey(wrong)).toThrow("1 to 255");
  }
});
