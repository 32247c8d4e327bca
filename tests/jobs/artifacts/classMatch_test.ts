import { expect } from "expect";
import { classesMessage, matchClasses } from "../../../jobs/artifacts/classMatch.ts";
import { DIGITS } from "../kinds/harness.ts";

Deno.test("classes are matched by name in any order", () => {
  const labels = (classifier: string[], dataset: string[]) => {
    const match = matchClasses(classifier, dataset);
    return match.labels ? [...match.labels] : match.missing;
  };
  expect(labels(["ant", "bee", "cow"], ["ant", "bee", "cow"])).toEqual([0, 1, 2]);
  expect(labels(["ant", "bee", "cow"], ["cow", "ant"])).toEqual([2, 0]);
  expect(labels(DIGITS, DIGITS.slice(3, 5))).toEqual([3, 4]);
  expect(labels(["ant", "bee"], ["bee", "cow", "dog"])).toEqual(["cow", "dog"]);
  expect(labels(["constructor", "__proto__"], ["__proto__"])).toEqual([1]);
  // Two names that normalize to the same keep their own labels.
  expect(labels(["e\u0301", "\u00e9"], ["\u00e9", "e\u0301"])).toEqual([1, 0]);
});

Deno.test("names that several classes of a classifier have are ambiguous", () => {
  const classifier = ["crane", "ant", "bee", "crane"];
  const match = matchClasses(classifier, ["crane", "bee"]);
  expect(match).toEqual({ labels: Uint16Array.of(0, 2), missing: null, ambiguous: ["crane"] });
  expect(classesMessage(classifier, match)).toMatch(/several classes of the classifier have: 'crane'/);
  expect(classesMessage(classifier, matchClasses(classifier, ["bee", "ant"]))).toBe(null);
  expect(classesMessage(classifier, matchClasses(classifier, ["crane", "cow"]))).toMatch(/not have: 'cow'/);
});
