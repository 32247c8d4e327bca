/**
 * Reads the loss series of a running job.
 *
 * @module
 */
import { callJson } from "./api.js";

/** Maximum number of steps in memory. */
const MAX_STEPS = 10_000;

/**
 * Returns a function that updates the series and returns it. The first call reads the whole series, later calls read
 * the new part. When the job has restarted, the series is read again from its beginning, because the job may have
 * resumed from an earlier checkpoint.
 */
export function lossSeries(id) {
  const path = `/v1/jobs/${encodeURIComponent(id)}/metrics`;
  let steps = [];
  let epochs = [];
  let every = 0;
  let attempt = 0;

  return async function refresh(job) {
    const requested = Math.max(1, Math.ceil((job.progress?.total_steps ?? 0) / MAX_STEPS));
    if (requested !== every || job.attempt !== attempt) {
      [steps, epochs, every, attempt] = [[], [], requested, job.attempt];
    }
    // The newest step is shown even if it is not a multiple of `every`. The next page replaces it.
    let after = steps.findLast(({ step }) => step % every === 0)?.step ?? 0;
    const isKept = ({ step }) => step <= after;
    const [newSteps, newEpochs] = [steps.filter(isKept), epochs.filter(isKept)];
    do {
      const page = await callJson(`${path}?every=${every}&after=${after}`);
      newSteps.push(...page.steps);
      newEpochs.push(...page.epochs);
      after = page.next;
    } while (after !== null);
    [steps, epochs] = [newSteps, newEpochs];
    return { steps, epochs };
  };
}
