/**
 * What a training starts from: random weights, with `model`, or a checkpoint, whose configuration `model` may change.
 *
 * @module
 */
import { z } from "@hono/zod-openapi";
import type { ConfigChanges } from "../../model/adapt/adaptConfig.ts";
import type { MaeConfig } from "../../model/config.ts";
import type { PresetName } from "../../model/presets.ts";
import { sourceFields } from "./commonFields.ts";
import { type ModelField, resolveChanges, resolveConfig } from "./modelFields.ts";

/** Returns the fields of a request that state the start. @param model schema of the field `model` */
export const startFields = <Model extends z.ZodType<ModelField>>(model: Model, description: string) => ({
  ...sourceFields,
  model: model.optional().openapi({
    description:
      `${description} With \`checkpoint\` or \`job\`: fields of its configuration that change, such as \`image_size\``,
  }),
});

/** The fields of {@linkcode startFields} in a request. */
interface Start {
  readonly checkpoint?: string;
  readonly job?: string;
  readonly model?: ModelField;
}

/** JSON Schema of the rule that a request has a checkpoint, a job, or neither. */
const ONE_SOURCE = { not: { properties: { checkpoint: {}, job: {} }, required: ["checkpoint", "job"] } };
/** JSON Schema of the rule that a request names what it starts from. */
const ANY_START = {
  anyOf: ["checkpoint", "job", "model"].map((name) => ({ properties: { [name]: {} }, required: [name] })),
};

/**
 * Adds the rules of the start: not both `checkpoint` and `job`, and without them `model`, unless there is a default.
 *
 * @param fallback the preset that a request without these fields has; null for none
 */
export function withStartRules<S extends z.ZodObject>(schema: S, fallback: PresetName | null): S {
  return schema.superRefine((value, context) => {
    const { checkpoint, job, model } = value as Start;
    const report = (message: string) => context.addIssue({ code: "custom", path: ["checkpoint"], message });
    if (checkpoint !== undefined && job !== undefined) {
      report("give exactly one of checkpoint and job: 2 were given");
    }
    if ([checkpoint, job, model].every((field) => field === undefined) && fallback === null) {
      report("give exactly one of checkpoint, job and model: 0 were given");
    }
  }).openapi({ allOf: fallback === null ? [ONE_SOURCE, ANY_START] : [ONE_SOURCE] });
}

/** A request whose start is resolved. */
export type Started<Request> = Omit<Request, "model"> & {
  /** The whole configuration of a training from random weights. */
  readonly model?: MaeConfig;
  /** The changed fields of the checkpoint's configuration. */
  readonly changes?: ConfigChanges;
};

/**
 * Resolves `model`: to a whole configuration for random weights, and otherwise to the changes of the checkpoint's.
 *
 * @param fallback see {@linkcode withStartRules}
 */
export function withResolvedStart<S extends z.ZodType<Start>>(schema: S, fallback: PresetName | null) {
  return schema.transform((request, context): Started<z.output<S>> => {
    const { model, ...rest } = request;
    if (rest.checkpoint !== undefined || rest.job !== undefined) {
      return model === undefined ? rest : { ...rest, changes: resolveChanges(model, context) };
    }
    return { ...rest, model: resolveConfig(model ?? fallback!, context) };
  });
}
