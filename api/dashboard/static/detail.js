/**
 * The panel of a job: its state, progress, loss curve, checkpoints, events and reconstructions.
 *
 * @module
 */
import { call, callJson, callList } from "./api.js";
import { lossChart } from "./chart.js";
import {
  badge,
  element,
  factItems,
  formatBytes,
  formatNumber,
  formatSeconds,
  formatTime,
  isFinished,
  progressOf,
  setText,
} from "./elements.js";
import { reconstructPanel } from "./reconstruct.js";
import { lossSeries } from "./series.js";

const EVENT_TYPES = ["status", "progress", "epoch", "checkpoint", "log"];
const MAX_EVENTS = 100;

/** Shows the panel of a job. `refresh()` updates it, and `close()` ends its event stream. */
export function jobDetail(container, id, { onChange, onError }) {
  const parts = createPanel(id);
  container.replaceChildren(parts.node);
  let job = null;
  let checkpoints = [];
  let seriesStep = -1;
  const readSeries = lossSeries(id);
  let panel = null;
  let closed = false;

  async function refresh() {
    const update = await callJson(`/v1/jobs/${encodeURIComponent(id)}`);
    if (closed) return;
    const previous = job;
    job = update;
    showState(parts, job);
    const ended = isFinished(job) && previous?.status !== job.status;
    if ((job.progress?.step ?? 0) !== seriesStep || ended) await refreshSeries();
    if (job.latest_checkpoint !== (previous?.latest_checkpoint ?? null) || ended) await refreshCheckpoints();
    if (previous !== null && previous.status !== job.status) onChange();
  }

  async function refreshSeries() {
    const series = await readSeries(job);
    if (closed) return;
    seriesStep = job.progress?.step ?? 0;
    parts.chart.replaceChildren(lossChart(series.steps, series.epochs));
  }

  async function refreshCheckpoints() {
    checkpoints = await callList(`/v1/jobs/${encodeURIComponent(id)}/checkpoints`);
    if (closed) return;
    showCheckpoints(parts, checkpoints);
    const autoencoders = checkpoints.filter(({ model }) => model === "mae");
    if (autoencoders.length === 0) return;
    const { dataset } = job.request;
    panel ??= reconstructPanel(parts.reconstruct, [{ label: dataset.id, dataset }]);
    panel.setCheckpoints(autoencoders);
  }

  parts.cancel.addEventListener("click", async () => {
    parts.cancel.disabled = true;
    try {
      await call(`/v1/jobs/${encodeURIComponent(id)}/cancel`, { method: "POST" });
      await refresh();
      onChange();
    } catch (error) {
      onError(error);
      parts.cancel.disabled = false;
    }
  });

  const events = new EventSource(`/v1/jobs/${encodeURIComponent(id)}/events`);
  for (const type of EVENT_TYPES) {
    events.addEventListener(type, (message) => showEvent(parts, JSON.parse(message.data)));
  }
  events.addEventListener("end", () => {
    events.close();
    refresh().catch(onError);
  });

  return {
    refresh,
    get finished() {
      return job !== null && isFinished(job);
    },
    close() {
      closed = true;
      events.close();
      panel?.close();
    },
  };
}

function createPanel(id) {
  const parts = {
    title: element("h1", { tabindex: "-1" }, "Job"),
    state: element("span", { role: "status" }),
    cancel: element("button", { type: "button", class: "danger", hidden: true }, "Cancel job"),
    bar: element("progress", { max: 1, value: 0, "aria-label": "Progress of the job" }),
    facts: element("dl", { class: "facts" }),
    error: element("p", { class: "error", role: "alert", hidden: true }),
    chart: element("div", { class: "chart-box" }),
    checkpoints: element("div", {}, element("p", { class: "quiet" }, "No checkpoint yet.")),
    reconstruct: element("section", { class: "card", "aria-label": "Reconstruct images", hidden: true }),
    events: element("ol", { class: "events" }),
    request: element("pre", { tabindex: "0", "aria-label": "Request" }),
  };
  parts.node = element(
    "div",
    { class: "detail", "data-detail": id },
    element(
      "section",
      { class: "card" },
      element("div", { class: "title-row" }, parts.title, parts.state, parts.cancel),
      element("p", { class: "quiet mono" }, id),
      parts.bar,
      parts.facts,
      parts.error,
    ),
    element("section", { class: "card" }, element("h2", {}, "Loss"), parts.chart),
    parts.reconstruct,
    element("section", { class: "card" }, element("h2", {}, "Checkpoints"), parts.checkpoints),
    element("section", { class: "card" }, element("h2", {}, "Events"), parts.events),
    element(
      "details",
      { class: "card" },
      element("summary", {}, "Request with all defaults"),
      parts.request,
    ),
  );
  return parts;
}

function showState(parts, job) {
  setText(parts.title, job.name ?? `${job.kind} job`);
  const status = badge(job);
  if (parts.state.textContent !== status.textContent) parts.state.replaceChildren(status);
  parts.bar.value = progressOf(job);
  parts.cancel.hidden = isFinished(job);
  parts.cancel.disabled = job.cancel_requested_at !== null;
  parts.error.hidden = job.error === null;
  setText(parts.error, job.error === null ? "" : `${job.error.message} (${job.error.code})`);
  setText(parts.request, JSON.stringify(job.request, null, 2));

  const progress = job.progress;
  const facts = {
    Step: progress === null ? "–" : `${progress.step} of ${progress.total_steps}`,
    Epoch: progress === null
      ? "–"
      : `${progress.epoch + 1}${job.request.epochs ? ` of ${job.request.epochs}` : ""}`,
    Loss: formatNumber(progress?.loss),
    "Images/s": progress?.images_per_second
      ? Math.round(progress.images_per_second).toLocaleString("en")
      : "–",
    "Time left": isFinished(job) ? "–" : formatSeconds(progress?.eta_seconds),
    Attempt: String(job.attempt),
    Backend: job.backend?.name ?? "–",
    Created: formatTime(job.created_at),
    Finished: formatTime(job.finished_at),
    ...resultNumbers(job.result),
    ...(job.result?.confusion_url &&
      { "Confusion matrix": element("a", { href: job.result.confusion_url }, "JSON") }),
  };
  const items = factItems(facts);
  const isSame = parts.facts.childElementCount === items.length &&
    items.every((item, index) => item.textContent === parts.facts.children[index].textContent);
  if (!isSame) parts.facts.replaceChildren(...items);
}

/** Returns the numbers of a result, with names such as `Test accuracy`. */
function resultNumbers(result) {
  const numbers = Object.entries(result ?? {}).filter(([, value]) => typeof value === "number");
  return Object.fromEntries(numbers.map(([name, value]) => {
    const words = name.replaceAll("_", " ");
    return [words[0].toUpperCase() + words.slice(1), formatNumber(value)];
  }));
}

function showCheckpoints(parts, checkpoints) {
  if (checkpoints.length === 0) return;
  const rows = checkpoints.map((checkpoint) =>
    element(
      "tr",
      {},
      element(
        "td",
        { class: "mono" },
        checkpoint.id,
        checkpoint.final && element("span", { class: "badge succeeded" }, "final"),
      ),
      element("td", {}, checkpoint.step.toLocaleString("en")),
      element("td", {}, checkpoint.model),
      element("td", {}, formatBytes(checkpoint.size)),
      element(
        "td",
        {},
        element(
          "a",
          {
            href: `/v1/checkpoints/${encodeURIComponent(checkpoint.id)}/content`,
            download: `${checkpoint.id}.safetensors`,
            "aria-label": `Download ${checkpoint.id}`,
          },
          "Download",
        ),
      ),
    )
  );
  const heads = ["Checkpoint", "Step", "Model", "Size", "File"];
  parts.checkpoints.replaceChildren(
    element(
      "div",
      { class: "scroll", tabindex: "0", role: "group", "aria-label": "Checkpoints" },
      element(
        "table",
        {},
        element(
          "thead",
          {},
          element("tr", {}, ...heads.map((head) => element("th", { scope: "col" }, head))),
        ),
        element("tbody", {}, ...rows),
      ),
    ),
  );
}

function showEvent(parts, event) {
  if (event.type === "progress") return;
  const time = element(
    "time",
    { datetime: event.created_at },
    new Date(event.created_at).toLocaleTimeString(),
  );
  parts.events.prepend(element("li", { class: event.level }, time, " ", event.message));
  while (parts.events.childElementCount > MAX_EVENTS) parts.events.lastElementChild.remove();
}
