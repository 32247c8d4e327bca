/**
 * The panel of an imported checkpoint: what it is, its files, and reconstructions of images.
 *
 * @module
 */
import { callJson, callList } from "./api.js";
import { element, factItems, formatBytes } from "./elements.js";
import { reconstructPanel } from "./reconstruct.js";

/** Shows the panel of a checkpoint. `refresh()` reads it once, and `close()` releases the image. */
export function checkpointDetail(container, id) {
  const path = `/v1/checkpoints/${encodeURIComponent(id)}`;
  const title = element("h1", { tabindex: "-1" }, "Checkpoint");
  const about = element("section", { class: "card" }, title, element("p", { class: "quiet mono" }, id));
  const reconstruct = element("section", {
    class: "card",
    "aria-label": "Reconstruct images",
    hidden: true,
  });
  container.replaceChildren(
    element("div", { class: "detail", "data-detail": id }, about, reconstruct),
  );
  let finished = false;
  let closed = false;
  let panel = null;

  async function refresh() {
    const [checkpoint, datasets] = await Promise.all([callJson(path), callList("/v1/datasets")]);
    if (closed || finished) return;
    finished = true;
    title.textContent = checkpoint.name ?? `${checkpoint.model} at step ${checkpoint.step}`;
    about.append(...aboutItems(checkpoint, path));
    if (!checkpoint.uses.endpoints.includes("/v1/reconstructions")) return;
    panel = reconstructPanel(
      reconstruct,
      datasets.map(({ id, name }) => ({ label: name, dataset: { id } })),
    );
    panel.setCheckpoints([checkpoint]);
  }

  return {
    refresh,
    get finished() {
      return finished;
    },
    close() {
      closed = true;
      panel?.close();
    },
  };
}

function aboutItems({ id, model, size, config, num_classes: classes, origin, uses }, path) {
  const notes = origin?.notes ?? [];
  const facts = {
    Model: model,
    Format: origin?.format ?? "–",
    Size: formatBytes(size),
    Images: `${config.image_size} × ${config.image_size}, ${config.in_channels === 1 ? "grey" : "colour"}`,
    ...(model === "classifier" && { Classes: String(classes) }),
    ...(origin?.missing.length > 0 && { Missing: origin.missing.join(", ") }),
    "Can start": uses.jobs.join(", "),
    File: element(
      "a",
      { href: `${path}/content`, download: `${id}.safetensors`, "aria-label": `Download ${id}` },
      "Download",
    ),
    Details: element("a", { href: path }, "JSON"),
  };
  return [
    element("dl", { class: "facts" }, ...factItems(facts)),
    notes.length > 0 &&
    element("ul", { class: "quiet notes" }, ...notes.map((note) => element("li", {}, note))),
  ].filter((item) => item !== false);
}
