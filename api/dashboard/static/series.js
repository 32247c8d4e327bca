/**
 * A job's loss series as it grows.
 *
 * @module
 */
import { callJson } from "./api.js";

/** Most steps kept. */
const STEPS = 10_000;

/**
 * Returns a function that brings the series up to date and answers it: the whole at first, then what is new. A job
 * that was started again is read from its beginning, since it may have gone back to a checkpoint.
 */
export function lossSeries(id) {
  const path = `/v1/jobs/${encodeURIComponent(id)}/metrics`;
  let steps = [];
  let epochs = [];
  let every = 0;
  let attempt = 0;

  return async function refresh(job) {
    const wanted = Math.max(1, Math.ceil((job.progress?.total_steps ?? 0) / STEPS));
    if (wanted !== every || job.attempt !== attempt) {
      [steps, epochs, every, attempt] = [[], [], wanted, job.attempt];
    }
    // The newest step is shown though it is no multiple of `every`: it gives way to the next.
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
