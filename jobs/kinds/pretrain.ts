/**
 * Pre-trains a masked autoencoder (tutorial, "Training Example").
 *
 * @module
 */
import { completeConfig } from "../../model/config.ts";
import { forwardFlops } from "../../model/flops.ts";
import { initialWeights, type ModelShape, parameterSpecs } from "../../model/weights.ts";
import type { RequestOf } from "../requests/schemas.ts";
import type { KindContext, KindEvent } from "./kind.ts";
import { openDataset } from "./openDataset.ts";
import { chooseBackend, loadSplit, runTraining } from "./training.ts";

const SHAPE: ModelShape = { model: "mae" };

/** Runs a `pretrain` job. */
export async function* pretrain(
  context: KindContext<RequestOf<"pretrain">>,
): AsyncGenerator<KindEvent, void> {
  const { seed, batchSize } = context.request;
  const config = completeConfig(context.request.model);
  const backend = await chooseBackend(context.settings, 3 * batchSize * forwardFlops(config));
  const dataset = yield* openDataset(context);
  const { state, checkpoint, epochLoss } = yield* runTraining(context, {
    config,
    shape: SHAPE,
    classNames: [],
    freezeEncoder: false,
    backend,
    rule: dataset.info,
    set: await loadSplit(context, dataset, "train", config),
    initial: () => initialWeights(parameterSpecs(config, SHAPE), seed),
  });
  yield { type: "result", result: { loss: epochLoss, steps: state.step, checkpoint } };
}
