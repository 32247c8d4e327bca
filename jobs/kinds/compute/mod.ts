/**
 * The computations of the kinds: training, and measuring a model. Kinds import this module inside `run`, so that the
 * API does not load it.
 *
 * @module
 */
export { chooseBackend, openRunPredictor } from "./backend.ts";
export { loadSplit, openDataset } from "./dataset.ts";
export { evaluateClassifier, evaluateMae } from "./evaluation.ts";
export { measurementBatchSize } from "./measure.ts";
export { runTraining } from "./runTraining.ts";
export { configOf, startOf } from "./start.ts";
export { trainClassifier } from "./trainClassifier.ts";
