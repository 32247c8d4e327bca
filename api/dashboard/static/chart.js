/**
 * The loss curve, drawn as inline SVG.
 *
 * @module
 */
import { element, formatNumber, svg } from "./elements.js";

const WIDTH = 720;
const HEIGHT = 260;
const MARGIN = { top: 14, right: 16, bottom: 34, left: 58 };

/** Maximum number of points. The chart has about as many pixels. */
const MAX_POINTS = 600;

/**
 * Draws the chart of a loss series.
 *
 * @param {{step: number, loss: number}[]} steps drawn as a line
 * @param {{step: number, epoch: number, loss: number}[]} epochs drawn as dots, with the mean of each epoch
 */
export function lossChart(steps, epochs) {
  const points = downsample(steps.filter(({ loss }) => Number.isFinite(loss)));
  const means = epochs.filter(({ loss }) => Number.isFinite(loss));
  const all = [...points, ...means];
  if (all.length === 0) return element("p", { class: "quiet" }, "No loss yet.");

  const [left, right] = [MARGIN.left, WIDTH - MARGIN.right];
  const [top, bottom] = [MARGIN.top, HEIGHT - MARGIN.bottom];
  const lastStep = Math.max(...all.map(({ step }) => step), 2);
  const losses = all.map(({ loss }) => loss);
  const ticksY = niceTicks(Math.min(...losses), Math.max(...losses), 5);
  const [low, high] = [ticksY[0], ticksY.at(-1)];
  const x = (step) => left + (step - 1) / (lastStep - 1) * (right - left);
  const y = (loss) => bottom - (loss - low) / (high - low) * (bottom - top);
  const format = ({ step, loss }) => `${x(step).toFixed(1)},${y(loss).toFixed(1)}`;
  const last = points.at(-1) ?? means.at(-1);

  return svg(
    "svg",
    {
      class: "chart",
      viewBox: `0 0 ${WIDTH} ${HEIGHT}`,
      role: "img",
      "aria-label": `Loss by step: from ${formatNumber(all[0].loss)} to ${
        formatNumber(last.loss)
      } at step ${last.step}`,
    },
    ...ticksY.map((value) =>
      svg(
        "g",
        {},
        svg("line", { class: "grid", x1: left, x2: right, y1: y(value), y2: y(value) }),
        svg("text", { x: left - 8, y: y(value) + 4, "text-anchor": "end" }, tickLabel(value)),
      )
    ),
    ...stepTicks(lastStep).map((step) =>
      svg("text", { x: x(step), y: bottom + 18, "text-anchor": "middle" }, step.toLocaleString("en"))
    ),
    svg("text", { class: "axis", x: (left + right) / 2, y: HEIGHT - 2, "text-anchor": "middle" }, "step"),
    svg("line", { class: "frame", x1: left, x2: right, y1: bottom, y2: bottom }),
    svg("polyline", { class: "curve", points: points.map(format).join(" ") }),
    ...means.map((mean) =>
      svg(
        "circle",
        { class: "mean", cx: x(mean.step), cy: y(mean.loss), r: 4 },
        svg("title", {}, `epoch ${mean.epoch + 1}: mean loss ${formatNumber(mean.loss)}`),
      )
    ),
  );
}

/** Returns at most MAX_POINTS points: the minimum and the maximum of each bucket, so that no spike is lost. */
function downsample(steps) {
  if (steps.length <= MAX_POINTS) return steps;
  const size = Math.ceil(steps.length / (MAX_POINTS / 2));
  const kept = [];
  for (let start = 0; start < steps.length; start += size) {
    const bucket = steps.slice(start, start + size).sort((a, b) => a.loss - b.loss);
    const ends = bucket.length > 1 ? [bucket[0], bucket.at(-1)] : bucket;
    kept.push(...ends.sort((a, b) => a.step - b.step));
  }
  return kept;
}

/** Returns about `count` round numbers that cover the range from `low` to `high`. */
function niceTicks(low, high, count) {
  const span = high - low || Math.abs(high) || 1;
  const power = 10 ** Math.floor(Math.log10(span / count));
  const size = [1, 2, 5, 10].map((factor) => factor * power).find((step) => span / step <= count) ??
    10 * power;
  const first = Math.floor(low / size);
  const last = Math.max(first + 1, Math.ceil(high / size));
  return Array.from({ length: last - first + 1 }, (_, index) => (first + index) * size);
}

function tickLabel(value) {
  return String(Number(value.toPrecision(6)));
}

/** Returns the steps to label on the axis, with the first and the last. */
function stepTicks(lastStep) {
  const ticks = niceTicks(0, lastStep, 6).filter((step) =>
    Number.isInteger(step) && step >= 1 && step < lastStep * 0.94
  );
  return [1, ...ticks.filter((step) => step > lastStep * 0.04), lastStep];
}
