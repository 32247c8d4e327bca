/**
 * The panel that reconstructs images with a checkpoint: those of a data set, or files.
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

/**
 * Shows the panel. `setCheckpoints` updates the selection, and `close()` releases the image.
 *
 * @param datasets the data sets that can be selected, as `{label, dataset}`, where `dataset` has its fields in a request
 */
export function reconstructPanel(container, datasets) {
  const checkpoint = element("select", { id: "rec-checkpoint" });
  const source = element(
    "select",
    { id: "rec-source" },
    ...datasets.map(({ label }, index) => element("option", { value: index }, label)),
    element("option", { value: "files" }, "Your own pictures"),
  );
  const files = element("input", {
    id: "rec-files",
    type: "file",
    accept: "image/png,image/jpeg",
    multiple: true,
  });
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
  const figure = element("figure", { class: "reconstructions", "aria-live": "polite", hidden: true });
  const indicesField = field("Test images", indices), filesField = field("PNG or JPEG files", files);
  const showSource = () => {
    indicesField.hidden = source.value === "files";
    filesField.hidden = !indicesField.hidden;
  };
  source.addEventListener("change", showSource);
  showSource();
  const form = element(
    "form",
    { novalidate: true },
    element(
      "div",
      { class: "fields four" },
      field("Checkpoint", checkpoint),
      field("Images", source),
      indicesField,
      filesField,
      field("Mask ratio", ratio),
      field("Mask seed", seed),
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
  let hasRatio = false;

  const fields = () => ({
    checkpoint: checkpoint.value,
    mask_ratio: ratio.valueAsNumber,
    seed: seed.valueAsNumber,
    columns: columns.filter(({ box }) => box.checked).map(({ name }) => name),
    captions: true,
  });

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    error.hidden = true;
    try {
      const response = await call("/v1/reconstructions", {
        method: "POST",
        accept: "image/png",
        body: source.value === "files" ? formOf(fields(), files.files) : {
          ...fields(),
          dataset: {
            ...datasets[source.value].dataset,
            split: "test",
            indices: parseNumbers(indices.value),
          },
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
        ...newestFirst.map(({ id, name, step, final }) =>
          element("option", { value: id }, name ?? `step ${step}${final ? " (final)" : ""}`)
        ),
      );
      if (!hasRatio) ratio.value = newestFirst[0].config.mask_ratio;
      hasRatio = true;
      if (!isNewestSelected) checkpoint.value = selected;
      // Only a class token has an attention map.
      attention.parentElement.hidden = !checkpoints.some(({ config }) => config.cls_token);
    },
    close() {
      if (imageUrl !== null) URL.revokeObjectURL(imageUrl);
    },
  };
}

/** Creates a control with its label. */
function field(label, control) {
  return element("div", { class: "field" }, element("label", { for: control.id }, label), control);
}

/** Returns the form with the fields of a request and the files of pictures. */
function formOf(fields, files) {
  const form = new FormData();
  for (const [name, value] of Object.entries(fields)) form.set(name, value);
  for (const file of files) form.append("pictures", file);
  return form;
}

/** Converts `0, 1 2` to `[0, 1, 2]`. Other text is kept, so that the server rejects it. */
function parseNumbers(text) {
  return text.split(/[\s,]+/).filter((part) => part !== "").map((part) =>
    /^\d+$/.test(part) ? Number(part) : part
  );
}
