/**
 * The panel that reconstructs images of the data set with a checkpoint.
 *
 * @module
 */
import { call } from "./api.js";
import { element } from "./elements.js";

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
  const button = element("button", { type: "submit" }, "Reconstruct");
  const error = element("p", { class: "error", role: "alert", hidden: true });
  const figure = element("figure", { class: "triptych", hidden: true });
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
      alt: "Each row: the original image, the visible patches, and the reconstruction",
    });
    const save = element("a", { href: imageUrl, download: "triptych.png" }, "Save the image");
    figure.replaceChildren(
      image,
      element("figcaption", {}, "Original | masked (grey) | reconstruction. ", save),
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
