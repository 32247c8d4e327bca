/**
 * Creates elements and formats values. Text is inserted as text nodes only, so that user input is never parsed as HTML.
 *
 * @module
 */

/**
 * Creates an element with attributes, listeners (`on…`) and children. Null and false children are left out.
 *
 * @param {string} name
 * @param {Record<string, unknown>} [attributes]
 * @param {...(Node | string | number | null | false | undefined)} children
 */
export function element(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** Creates an SVG element, like {@linkcode element}. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Sets the text of an element if it changed, so that selections and screen readers are not disturbed. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Creates the items of a list of facts, from names and values. */
export function factItems(facts) {
  return Object.entries(facts).map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value))
  );
}

/** Formats a loss or an accuracy. */
export function formatNumber(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value !== 0 && Math.abs(value) < 0.001) return value.toExponential(2);
  return Number.isInteger(value) ? value.toLocaleString("en") : value.toFixed(4);
}

/** Formats seconds as `1 h 02 min`, `3 min 20 s` or `12 s`. */
export function formatSeconds(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  if (hours > 0) return `${hours} h ${String(minutes).padStart(2, "0")} min`;
  return minutes > 0 ? `${minutes} min ${String(whole % 60).padStart(2, "0")} s` : `${whole} s`;
}

/** Formats bytes as `620 kB`. */
export function formatBytes(bytes) {
  const units = ["B", "kB", "MB", "GB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

/** Formats a time in the time zone of the browser. */
export function formatTime(iso) {
  return iso === null ? "–" : new Date(iso).toLocaleString();
}

/** Returns the progress of a job, from 0 to 1. */
export function progressOf(job) {
  if (job.status === "succeeded") return 1;
  return job.progress && job.progress.total_steps > 0 ? job.progress.step / job.progress.total_steps : 0;
}

/** Returns whether a job has reached a final state. */
export function isFinished(job) {
  return ["succeeded", "failed", "cancelled"].includes(job.status);
}

/** Creates a coloured label with the status of a job. */
export function badge(job) {
  const isCancelling = job.cancel_requested_at !== null && !isFinished(job);
  return element("span", { class: `badge ${job.status}` }, isCancelling ? "cancelling" : job.status);
}
