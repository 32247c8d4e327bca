/**
 * One job: its state, progress, loss curve, checkpoints, what happened, and what its model draws.
 *
 * @module
 */
import { call, callJson, callList } from "./api.js";
import { lossChart } from "./chart.js";
import {
  badge,
  element,
  formatBytes,
  formatNumber,
  formatSeconds,
  formatTime,
  isFinished,
  setText,
  share,
} from "./elements.js";
import { reconstructPanel } from "./reconstruct.js";
import { lossSeries } from "./series.js";

const EVENT_TYPES = ["status", "progress", "epoch", "checkpoint", "log"];
const EVENTS_SHOWN = 100;

/** The panel of one job; `refresh()` fetches it, `close()` ends its stream of events. */
export function jobDetail(container, id, { changed, failed }) {
  const parts = frame(id);
  container.replaceChildren(parts.node);
  let job = null;
  let checkpoints = [];
  let seriesStep = -1;
  const readSeries = lossSeries(id);
  let panel = null;
  let closed = false;

  async function refresh() {
    const fresh = await callJson(`/v1/jobs/${encodeURIComponent(id)}`);
    if (closed) return;
    const before = job;
    job = fresh;
    showState(parts, job);
    const ended = isFinished(job) && before?.status !== job.status;
    if ((job.progress?.step ?? 0) !== seriesStep || ended) await refreshSeries();
    if (job.latest_checkpoint !== (before?.latest_checkpoint ?? null) || ended) await refreshCheckpoints();
    if (before !== null && before.status !== job.status) changed();
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
    const drawing = checkpoints.filter(({ model }) => model === "mae");
    if (drawing.length === 0) return;
    panel ??= reconstructPanel(parts.reconstruct, job.request.dataset);
    panel.offer(drawing);
  }

  parts.cancel.addEventListener("click", async () => {
    parts.cancel.disabled = true;
    try {
      await call(`/v1/jobs/${encodeURIComponent(id)}/cancel`, { method: "POST" });
      await refresh();
      changed();
    } catch (error) {
      failed(error);
      parts.cancel.disabled = false;
    }
  });

  const events = new EventSource(`/v1/jobs/${encodeURIComponent(id)}/events`);
  for (const type of EVENT_TYPES) {
    events.addEventListener(type, (message) => showEvent(parts, JSON.parse(message.data)));
  }
  events.addEventListener("end", () => {
    events.close();
    refresh().catch(failed);
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

function frame(id) {
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
    element("section", { class: "card" }, element("h2", {}, "What happened"), parts.events),
    element(
      "details",
      { class: "card" },
      element("summary", {}, "Request, with every default"),
      parts.request,
    ),
  );
  return parts;
}

function showState(parts, job) {
  setText(parts.title, job.name ?? `${job.kind} job`);
  const word = badge(job);
  if (parts.state.textContent !== word.textContent) parts.state.replaceChildren(word);
  parts.bar.value = share(job);
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
    "Pictures/s": progress?.images_per_second
      ? Math.round(progress.images_per_second).toLocaleString("en")
      : "–",
    "Time left": isFinished(job) ? "–" : formatSeconds(progress?.eta_seconds),
    Attempt: String(job.attempt),
    Engine: job.backend?.name ?? "–",
    Created: formatTime(job.created_at),
    Finished: formatTime(job.finished_at),
    ...numbersOf(job.result),
    ...(job.result?.confusion_url &&
      { "Confusion matrix": element("a", { href: job.result.confusion_url }, "JSON") }),
  };
  const items = Object.entries(facts).map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, value))
  );
  const same = parts.facts.childElementCount === items.length &&
    items.every((item, index) => item.textContent === parts.facts.children[index].textContent);
  if (!same) parts.facts.replaceChildren(...items);
}

/** The numbers of a result, as `Test accuracy`. */
function numbersOf(result) {
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
  while (parts.events.childElementCount > EVENTS_SHOWN) parts.events.lastElementChild.remove();
}
