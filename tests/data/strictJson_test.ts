import { expect } from "expect";
import { parseStrictJson } from "../../data/strictJson.ts";

Deno.test("other work is done while a long text is checked", async () => {
  const entries = Array.from({ length: 140_000 }, (_, i): [string, string] => [`key ${i}`, `value ${i}`]);
  const value = Object.fromEntries(entries);
  let turns = 0;
  const timer = setInterval(() => turns++, 0);
  expect(await parseStrictJson(JSON.stringify(value), { depth: 1, values: 150_000 })).toEqual(value);
  clearInterval(timer);
  expect(turns).toBeGreaterThan(0);
});
