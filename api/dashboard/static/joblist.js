/**
 * The list of jobs, newest first, each with a progress bar.
 *
 * @module
 */
import { callJson } from "./api.js";
import { badge, element, formatNumber, progressOf, setText } from "./elements.js";

const PAGE_SIZE = 10;

/** Shows the list. `refresh()` updates it, and `select(id)` marks the selected job. */
export function jobList() {
  const list = document.getElementById("jobs");
  const empty = document.getElementById("jobs-empty");
  const more = document.getElementById("jobs-more");
  const rows = new Map();
  let limit = PAGE_SIZE;
  let selected = null;

  async function refresh() {
    const page = await callJson(`/v1/jobs?limit=${limit}`);
    empty.hidden = page.data.length > 0;
    more.hidden = !page.has_more || limit >= 100;
    const ids = new Set(page.data.map((job) => job.id));
    for (const [id, row] of rows) {
      if (ids.has(id)) continue;
      row.node.remove();
      rows.delete(id);
    }
    page.data.forEach((job, index) => {
      if (!rows.has(job.id)) rows.set(job.id, jobRow(job.id));
      const row = rows.get(job.id);
      row.show(job, job.id === selected);
      // A node that moves loses the keyboard focus, so it is moved only if necessary.
      if (list.children[index] !== row.node) list.insertBefore(row.node, list.children[index] ?? null);
    });
  }

  more.addEventListener("click", async () => {
    limit = Math.min(100, limit + PAGE_SIZE);
    await refresh();
  });

  return {
    refresh,
    select(id) {
      selected = id;
      for (const [rowId, row] of rows) row.mark(rowId === id);
    },
  };
}

function jobRow(id) {
  const title = element("span", { class: "job-name" });
  const state = element("span", { class: "job-state" });
  const bar = element("progress", { max: 1, value: 0, "aria-label": "Progress" });
  const numbers = element("span", { class: "quiet" });
  const link = element(
    "a",
    { href: `#/jobs/${id}` },
    element("span", { class: "job-head" }, title, state),
    bar,
    numbers,
  );
  const node = element("li", { "data-job": id }, link);
  const mark = (isSelected) =>
    isSelected ? link.setAttribute("aria-current", "true") : link.removeAttribute("aria-current");
  return {
    node,
    mark,
    show(job, isSelected) {
      mark(isSelected);
      setText(title, job.name ?? `${job.kind} ${job.id.slice(-6)}`);
      const status = badge(job);
      if (state.textContent !== status.textContent) state.replaceChildren(status);
      bar.value = progressOf(job);
      const { step = 0, total_steps = 0, loss = null } = job.progress ?? {};
      setText(
        numbers,
        job.progress === null
          ? job.kind
          : `${job.kind} · step ${step} of ${total_steps}${
            loss === null ? "" : ` · loss ${formatNumber(loss)}`
          }`,
      );
    },
  };
}
