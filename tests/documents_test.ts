import { expect } from "expect";
import { documentIssues, readDocuments, README_MAX_WORDS } from "./documents.ts";

Deno.test("the documents have no broken link and name no missing file", () => {
  const documents = readDocuments();
  expect([...documents.keys()]).toContain("docs/architecture.md");
  expect(documentIssues(documents)).toEqual([]);
});

Deno.test("a broken link, a missing file and a long README are found", () => {
  const documents = new Map([
    ["README.md", "word ".repeat(README_MAX_WORDS + 1)],
    [
      "docs/api.md",
      "# A `title`, here\n[x](missing.md) [x](#a-title-here) [x](#other) [x](../LICENSE) [x](https://a.example/b) " +
      "[x](../README.md#none) `jobs/nothing.ts` `jobs/job.ts` `docs/` `data/datasets/mine.png/2`\n" +
      "```\n[x](ignored.md)\n```\n",
    ],
  ]);
  expect(documentIssues(documents)).toEqual([
    `README.md: has ${README_MAX_WORDS + 1} words, more than ${README_MAX_WORDS}`,
    "docs/api.md: the link to missing.md leads to no file",
    "docs/api.md: the link to #other leads to no heading",
    "docs/api.md: the link to ../README.md#none leads to no heading",
    "docs/api.md: the path jobs/nothing.ts does not exist",
    "docs/api.md: the path data/datasets/mine.png/2 does not exist",
  ]);
});
