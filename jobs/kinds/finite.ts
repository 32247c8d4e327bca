/**
 * Fails a job instead of reporting a number that is not finite, because JSON would represent the number as null.
 *
 * @module
 */
import { JobFailure } from "../failure.ts";
import type { StepPoint } from "../job.ts";
import type { KindEvent } from "./kind.ts";

/** Advice for a model that has diverged. */
const ADVICE = "The model has diverged: start from an earlier checkpoint, or train it with a lower lr or a " +
  "longer warm-up";

/** Returns the failure of a job with a number that is not finite. @param fact names the number and its value */
export function notFinite(fact: string): JobFailure {
  return new JobFailure("not_finite", `${fact}, not a finite number. ${ADVICE}`);
}

/** Returns path and value of the first number that is not finite; null when all numbers are finite. */
function findNonFinite(value: unknown, path = ""): { path: string; value: number } | null {
  if (typeof value === "number") return Number.isFinite(value) ? null : { path, value };
  if (typeof value !== "object" || value === null) return null;
  for (const [key, inner] of Object.entries(value)) {
    const found = findNonFinite(inner, path === "" ? key : `${path}.${key}`);
    if (found) return found;
  }
  return null;
}

/** Returns the sentence about the first number of an event that is not finite; null when all numbers are finite. */
function findInEvent(event: KindEvent): string | null {
  if (event.type === "step") return findInStep(event);
  if (event.type !== "steps") {
    const found = findNonFinite(event);
    return found && describe(event, found.path, found.value);
  }
  for (const step of event.steps) {
    const found = findInStep(step);
    if (found !== null) return found;
  }
  return null;
}

function findInStep({ step, loss, lr }: StepPoint): string | null {
  if (!Number.isFinite(loss)) return `The loss of step ${step} is ${loss}`;
  return Number.isFinite(lr) ? null : `The lr of step ${step} is ${lr}`;
}

/** Yields the events of a run. @throws {JobFailure} `not_finite` for an event with a number that is not finite */
export async function* requireFinite(events: AsyncIterable<KindEvent>): AsyncGenerator<KindEvent, void> {
  for await (const event of events) {
    const found = findInEvent(event);
    if (found !== null) throw notFinite(found);
    yield event;
  }
}

function describe(event: KindEvent, path: string, value: number): string {
  const name = path.split(".").at(-1)!.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
  switch (event.type) {
    case "epoch":
      return `The ${name} of epoch ${event.epoch + 1} is ${value}`;
    case "result":
      return `The result's ${name} is ${value}`;
    default:
      return `The ${name} of the ${event.type} event is ${value}`;
  }
}
