/**
 * The panel that reconstructs images of the data set with a checkpoint.
 *
 * @module
 */
import { call } from "./api.js";
import { element } from "./elements.js";

/** The columns of the figure: name, label, and whether they are shown at first. */
const COLUMNS = [
  ["original", "Original", true],
  ["masked", "Masked", true],
  ["reconstruction", "Reconstruction", true],
  ["reconstruction_visible", "Reconstruction + visible", true],
  ["error", "Error", false],
  ["attention", "Attention", false],
];

/** Shows the panel. `setCheckpoints` updates the selection, and `close()` releases the image. */
export function reconstructPanel(container, dataset) {
  const checkpoint = element("select", { id: "rec-checkpoint" });
  const indices = element("input", {
    id: "rec-indices",
    value: "0, 1, 2, 3",
    inputmode: "numeric",
    autocomplete: "off",
  });
  const ratio = element("input", {
    id: "rec-ratio",
    type: "number",
    value: "0.75",
    step: "0.05",
    min: "0",
    max: "1",
  });
  const seed = element("input", { id: "rec-seed", type: "number", value: "0", step: "1", min: "0" });
  const columns = COLUMNS.map(([name, label, isShown]) => ({
    name,
    label,
    box: element("input", { id: `rec-${name}`, type: "checkbox", checked: isShown }),
  }));
  const attention = columns.find(({ name }) => name === "attention").box;
  const button = element("button", { type: "submit" }, "Reconstruct");
  const error = element("p", { class: "error", role: "alert", hidden: true });
  const figure = element("figure", { class: "reconstructions", hidden: true });
  const form = element(
    "form",
    { novalidate: true },
    element(
      "div",
      { class: "fields four" },
      ...[["Checkpoint", checkpoint], ["Test images", indices], ["Mask ratio", ratio], [
        "Mask seed",
        seed,
      ]]
        .map(([label, control]) =>
          element("div", { class: "field" }, element("label", { for: control.id }, label), control)
        ),
    ),
    element(
      "fieldset",
      { class: "columns" },
      element("legend", {}, "Columns"),
      ...columns.map(({ label, box }) => element("label", { for: box.id }, box, label)),
    ),
    button,
    error,
  );
  container.replaceChildren(element("h2", {}, "Reconstructions"), form, figure);
  container.hidden = false;
  let imageUrl = null;

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    error.hidden = true;
    try {
      const response = await call("/v1/reconstructions", {
        method: "POST",
        accept: "image/png",
        body: {
          checkpoint: checkpoint.value,
          dataset: { ...dataset, split: "test", indices: parseNumbers(indices.value) },
          mask_ratio: ratio.valueAsNumber,
          seed: seed.valueAsNumber,
          columns: columns.filter(({ box }) => box.checked).map(({ name }) => name),
          captions: true,
        },
      });
      showImage(await response.blob());
    } catch (failure) {
      const details = (failure.errors ?? []).map(({ path, message }) => `${path}: ${message}`);
      error.textContent = details.length > 0 ? details.join("; ") : failure.message;
      error.hidden = false;
    } finally {
      button.disabled = false;
    }
  });

  function showImage(blob) {
    if (imageUrl !== null) URL.revokeObjectURL(imageUrl);
    imageUrl = URL.createObjectURL(blob);
    const image = element("img", {
      src: imageUrl,
      alt: `Each row: ${columns.filter(({ box }) => box.checked).map(({ label }) => label).join(", ")}`,
    });
    const save = element("a", { href: imageUrl, download: "figure.png" }, "Save the image");
    figure.replaceChildren(
      image,
      element("figcaption", {}, "Masked patches are grey. ", save),
    );
    figure.hidden = false;
  }

  return {
    setCheckpoints(checkpoints) {
      const selected = checkpoint.value;
      const isNewestSelected = checkpoint.selectedIndex <= 0;
      const newestFirst = [...checkpoints].sort((a, b) => b.step - a.step || (a.id < b.id ? 1 : -1));
      checkpoint.replaceChildren(
        ...newestFirst.map(({ id, step, final }) =>
          element("option", { value: id }, `step ${step}${final ? " (final)" : ""}`)
        ),
      );
      if (!isNewestSelected) checkpoint.value = selected;
      // Only a class token has an attention map.
      attention.parentElement.hidden = !checkpoints.some(({ config }) => config.cls_token);
    },
    close() {
      if (imageUrl !== null) URL.revokeObjectURL(imageUrl);
    },
  };
}

/** Converts `0, 1 2` to `[0, 1, 2]`. Other text is kept, so that the server rejects it. */
function parseNumbers(text) {
  return text.split(/[\s,]+/).filter((part) => part !== "").map((part) =>
    /^\d+$/.test(part) ? Number(part) : part
  );
}
