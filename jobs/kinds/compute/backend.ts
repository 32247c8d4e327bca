/**
 * The backend of a run.
 *
 * @module
 */
import { BackendError } from "../../../model/backends/backend.ts";
import { selectBackend, type SelectedBackend } from "../../../model/backends/select.ts";
import type { MaeConfig } from "../../../model/config.ts";
import { openPredictor } from "../../../model/prediction/openPredictor.ts";
import type { Predictor } from "../../../model/prediction/predictor.ts";
import type { HostWeights } from "../../../model/weights.ts";
import { JobFailure } from "../../failure.ts";
import type { KindContext } from "../kind.ts";
import type { KindSettings } from "../settings.ts";

/**
 * Selects the backend that the settings name.
 *
 * @param flops number of floating-point operations of a step; `auto` selects a GPU only above a minimum
 * @throws {JobFailure} `no_backend`
 */
export async function chooseBackend({ compute }: KindSettings, flops: number): Promise<SelectedBackend> {
  try {
    const { backend, threads, tensorflow, vectorBits, vectorNote } = compute;
    const selected = await selectBackend(backend, { flops, threads, tensorflow, vectorBits });
    const isNoted = selected.vectorBits === 128 && vectorNote !== undefined;
    return isNoted ? { ...selected, notes: [...selected.notes, vectorNote] } : selected;
  } catch (error) {
    if (error instanceof BackendError) throw new JobFailure("no_backend", error.message, { cause: error });
    throw error;
  }
}

/** Opens a predictor of a model on the backend of a run, with all of the run's threads. The caller disposes it. */
export function openRunPredictor(
  { settings }: Pick<KindContext, "settings">,
  { planner }: SelectedBackend,
  model: { readonly config: MaeConfig; readonly weights: HostWeights },
): Promise<Predictor> {
  return openPredictor({ ...model, threads: settings.compute.threads }, planner);
}
