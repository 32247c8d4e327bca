/**
 * Images of the data set beside what a checkpoint draws of them.
 *
 * @module
 */
import { call } from "./api.js";
import { element } from "./elements.js";

/** The panel; `offer(checkpoints)` sets the choice, newest last, and `close()` frees the image. */
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
        "Seed of the mask",
        seed,
      ]]
        .map(([label, control]) =>
          element("div", { class: "field" }, element("label", { for: control.id }, label), control)
        ),
    ),
    button,
    error,
  );
  container.replaceChildren(element("h2", {}, "What it draws"), form, figure);
  container.hidden = false;
  let address = null;

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
          dataset: { ...dataset, split: "test", indices: numbersOf(indices.value) },
          mask_ratio: ratio.valueAsNumber,
          seed: seed.valueAsNumber,
        },
      });
      show(await response.blob());
    } catch (failure) {
      const details = (failure.errors ?? []).map(({ path, message }) => `${path}: ${message}`);
      error.textContent = details.length > 0 ? details.join("; ") : failure.message;
      error.hidden = false;
    } finally {
      button.disabled = false;
    }
  });

  function show(blob) {
    if (address !== null) URL.revokeObjectURL(address);
    address = URL.createObjectURL(blob);
    const picture = element("img", {
      src: address,
      alt: "Each row: the original image, the visible patches, and the reconstruction",
    });
    const save = element("a", { href: address, download: "triptych.png" }, "Save the image");
    figure.replaceChildren(
      picture,
      element("figcaption", {}, "Original | masked (grey) | reconstruction. ", save),
    );
    figure.hidden = false;
  }

  return {
    offer(checkpoints) {
      const chosen = checkpoint.value;
      const followed = checkpoint.selectedIndex <= 0;
      const newestFirst = [...checkpoints].sort((a, b) => b.step - a.step || (a.id < b.id ? 1 : -1));
      checkpoint.replaceChildren(
        ...newestFirst.map(({ id, step, final }) =>
          element("option", { value: id }, `step ${step}${final ? " (final)" : ""}`)
        ),
      );
      if (!followed) checkpoint.value = chosen;
    },
    close() {
      if (address !== null) URL.revokeObjectURL(address);
    },
  };
}

/** `0, 1 2` → `[0, 1, 2]`; what is no number is left for the server to refuse. */
function numbersOf(text) {
  return text.split(/[\s,]+/).filter((part) => part !== "").map((part) =>
    /^\d+$/.test(part) ? Number(part) : part
  );
}
