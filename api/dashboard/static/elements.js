/**
 * Building the page. Text only ever goes in as text nodes, so nothing a user typed is read as HTML.
 *
 * @module
 */

/**
 * An element with attributes, listeners (`on…`) and children; null and false children are left out.
 *
 * @param {string} name
 * @param {Record<string, unknown>} [attributes]
 * @param {...(Node | string | number | null | false | undefined)} children
 */
export function element(name, attributes = {}, ...children) {
  return filled(document.createElement(name), attributes, children);
}

/** The same for an SVG element. */
export function svg(name, attributes = {}, ...children) {
  return filled(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function filled(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (key.startsWith("on")) node.addEventListener(key.slice(2), value);
    else node.setAttribute(key, value === true ? "" : String(value));
  }
  node.append(...children.filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

/** Sets an element's text only when it changed, so that a selection or a screen reader is not disturbed. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** A loss or an accuracy for people. */
export function formatNumber(value) {
  if (value === null || value === undefined || !Number.isFinite(value)) return "–";
  if (value !== 0 && Math.abs(value) < 0.001) return value.toExponential(2);
  return Number.isInteger(value) ? value.toLocaleString("en") : value.toFixed(4);
}

/** Seconds as `1 h 02 min`, `3 min 20 s` or `12 s`. */
export function formatSeconds(seconds) {
  if (seconds === null || seconds === undefined) return "–";
  const whole = Math.max(0, Math.round(seconds));
  const [hours, minutes] = [Math.floor(whole / 3600), Math.floor(whole / 60) % 60];
  if (hours > 0) return `${hours} h ${String(minutes).padStart(2, "0")} min`;
  return minutes > 0 ? `${minutes} min ${String(whole % 60).padStart(2, "0")} s` : `${whole} s`;
}

/** Bytes as `620 kB`. */
export function formatBytes(bytes) {
  const units = ["B", "kB", "MB", "GB"];
  const power = Math.min(units.length - 1, Math.floor(Math.log10(Math.max(1, bytes)) / 3));
  return `${(bytes / 1000 ** power).toFixed(power === 0 ? 0 : 1)} ${units[power]}`;
}

/** A time in the reader's own zone. */
export function formatTime(iso) {
  return iso === null ? "–" : new Date(iso).toLocaleString();
}

/** Share of a job that is done, 0 to 1. */
export function share(job) {
  if (job.status === "succeeded") return 1;
  return job.progress && job.progress.total_steps > 0 ? job.progress.step / job.progress.total_steps : 0;
}

/** Whether a job will not change any more. */
export function isFinished(job) {
  return ["succeeded", "failed", "cancelled"].includes(job.status);
}

/** A job's status as a coloured word. */
export function badge(job) {
  const stopping = job.cancel_requested_at !== null && !isFinished(job);
  return element("span", { class: `badge ${job.status}` }, stopping ? "cancelling" : job.status);
}
