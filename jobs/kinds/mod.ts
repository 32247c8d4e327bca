/**
 * The kinds of job by name.
 *
 * @module
 */
import type { JobKind } from "../requests/schemas.ts";
import { trainClassifier } from "./classify.ts";
import { evaluate } from "./evaluate.ts";
import { finite } from "./finite.ts";
import type { RunKind } from "./kind.ts";
import { pretrain } from "./pretrain.ts";

/** Every kind of job, and what runs it. */
export const KINDS: Readonly<Record<JobKind, RunKind>> = {
  pretrain: finite(pretrain as RunKind),
  finetune: finite(trainClassifier as RunKind),
  linear_probe: finite(trainClassifier as RunKind),
  evaluate: finite(evaluate as RunKind),
};
