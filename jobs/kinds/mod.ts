/**
 * The kinds of job. A new kind is a file in this folder and an entry in the list {@linkcode KINDS}. The schema and the
 * types of requests and the API's filter by kind derive from the list.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import { JobFailure } from "../failure.ts";
import { MAX_TRAINING_BYTES, trainingMemoryMessage } from "../requests/memory.ts";
import { evaluate } from "./evaluate.ts";
import { finetune } from "./finetune.ts";
import { requireFinite } from "./finite.ts";
import { type Kind, type KindContext, type KindEvent, trainedModel } from "./kind.ts";
import { linearProbe } from "./linearProbe.ts";
import { pretrain } from "./pretrain.ts";

/** Every kind of job. */
export const KINDS = [
  pretrain,
  finetune,
  linearProbe,
  evaluate,
] as const;

/** The name of a kind. */
export type JobKind = typeof KINDS[number]["name"];

/** The names of the kinds. */
export const KIND_NAMES: readonly JobKind[] = KINDS.map(({ name }) => name);

/** Returns a kind by its name. @throws {JobFailure} `unknown_kind` for a job of another version */
export function kindOf(name: string): Kind {
  const kind = KINDS.find((kind) => kind.name === name);
  if (kind === undefined) throw new JobFailure("unknown_kind", `There is no kind of job '${name}'`);
  return kind as Kind;
}

/** Runs a job of any kind. An event with a number that is not finite fails it. @throws {JobFailure} */
export async function* runJob(context: KindContext): AsyncGenerator<KindEvent, void> {
  yield* requireFinite(kindOf(context.request.kind).run(context));
}

/**
 * Returns the schema of the body of `POST /v1/jobs`. Parsing fills in every default and resolves the model.
 *
 * @param maxTrainingBytes limit of a training step's estimated memory
 */
export function jobRequestSchema(maxTrainingBytes: number = MAX_TRAINING_BYTES) {
  const [first, ...others] = KINDS.map(({ schema }) => schema);
  return z.discriminatedUnion("kind", [first, ...others])
    .superRefine((request, context) => {
      const { trains } = kindOf(request.kind);
      if (trains === null || !("model" in request) || request.model === undefined) return;
      const message = trainingMemoryMessage(
        // The number of classes follows from the data set. A classifier has at least two.
        trainedModel(trains, request.model, 2),
        request.batch_size,
        maxTrainingBytes,
      );
      if (message !== null) context.addIssue({ code: "custom", path: ["batch_size"], message });
    }).openapi("JobRequest");
}
