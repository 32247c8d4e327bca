/**
 * The list of imported checkpoints, newest first.
 *
 * @module
 */
import { callJson } from "./api.js";
import { element, formatBytes } from "./elements.js";

/**
 * Shows the list. `refresh()` reads it once more, and `select(id)` marks the selected checkpoint. The card is hidden while
 * there are none.
 */
export function importList() {
  const card = document.getElementById("imports-card");
  const list = document.getElementById("imports");
  let shown = "";
  let selected = null;

  function mark() {
    for (const row of list.children) {
      const link = row.firstElementChild;
      if (row.dataset.checkpoint === selected) link.setAttribute("aria-current", "true");
      else link.removeAttribute("aria-current");
    }
  }

  async function refresh() {
    const { data } = await callJson("/v1/checkpoints?imported=true&limit=20");
    const ids = data.map(({ id }) => id).join();
    if (ids === shown) return;
    shown = ids;
    card.hidden = data.length === 0;
    list.replaceChildren(...data.map(importRow));
    mark();
  }

  return {
    refresh,
    select(id) {
      selected = id;
      mark();
    },
  };
}

function importRow({ id, name, model, size, origin }) {
  return element(
    "li",
    { "data-checkpoint": id },
    element(
      "a",
      { href: `#/checkpoints/${id}` },
      element("span", { class: "job-head" }, element("span", { class: "job-name" }, name)),
      element("span", { class: "quiet" }, `${model} · ${origin.format} · ${formatBytes(size)}`),
    ),
  );
}
