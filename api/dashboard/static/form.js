/**
 * The form that starts a pre-training job.
 *
 * @module
 */
import { ApiError, callJson, callList } from "./api.js";
import { element } from "./elements.js";

/** The fields: path in the request, label, and initial value. An empty value leaves the default to the server. */
const FIELDS = [
  { path: "name", label: "Name", type: "text", value: "", hint: "optional", maxlength: 128, wide: true },
  { path: "dataset.id", label: "Data set", type: "select", value: "digits" },
  {
    path: "dataset.size",
    label: "Training images",
    type: "number",
    value: "2000",
    hint: "digits only",
  },
  { path: "epochs", label: "Epochs", type: "number", value: "", hint: "1 unless steps are set" },
  { path: "max_steps", label: "Maximum steps", type: "number", value: "", hint: "no limit" },
  { path: "batch_size", label: "Batch size", type: "number", value: "128" },
  { path: "lr", label: "Learning rate", type: "number", value: "0.00015", step: "any" },
  { path: "model.mask_ratio", label: "Mask ratio", type: "number", value: "0.75", step: "0.05" },
  { path: "seed", label: "Seed", type: "number", value: "0" },
];

/** Creates the fields of the form and submits it. `onCreate` is called with the new job. */
export function newJobForm(form, onCreate) {
  const inputs = new Map(FIELDS.map((field) => [field.path, fieldInput(field)]));
  const general = element("p", { class: "error", role: "alert", hidden: true });
  const button = element("button", { type: "submit" }, "Start pre-training");
  form.append(
    element("div", { class: "fields" }, ...[...inputs.values()].map((input) => input.node)),
    general,
    button,
  );
  const dataset = inputs.get("dataset.id").control;
  const size = inputs.get("dataset.size").control;
  dataset.addEventListener("change", () => size.disabled = dataset.value !== "digits");
  fillDatasets(dataset);

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    if (button.disabled) return;
    button.disabled = true;
    general.hidden = true;
    for (const input of inputs.values()) input.setError(null);
    try {
      onCreate(await callJson("/v1/jobs", { method: "POST", body: requestOf(inputs) }));
    } catch (error) {
      showErrors(error, inputs, general);
    } finally {
      button.disabled = false;
    }
  });
}

function fieldInput({ path, label, type, value, hint, wide, ...attributes }) {
  const id = `field-${path.replace(".", "-")}`;
  const error = element("span", { class: "error", id: `${id}-error`, hidden: true });
  const control = type === "select"
    ? element("select", { id, name: path }, element("option", { value }, value))
    : element("input", {
      id,
      name: path,
      type,
      value,
      placeholder: hint,
      step: "1",
      autocomplete: "off",
      ...attributes,
    });
  return {
    control,
    node: element(
      "div",
      { class: wide ? "field wide" : "field" },
      element("label", { for: id }, label),
      control,
      error,
    ),
    setError(message) {
      error.hidden = message === null;
      error.textContent = message ?? "";
      if (message === null) control.removeAttribute("aria-invalid");
      else control.setAttribute("aria-invalid", "true");
      if (message === null) control.removeAttribute("aria-describedby");
      else control.setAttribute("aria-describedby", error.id);
    },
  };
}

/** Returns the request with the values of the form. Empty fields are left out. */
function requestOf(inputs) {
  const request = { kind: "pretrain" };
  for (const [path, { control }] of inputs) {
    if (control.value.trim() === "" || control.disabled) continue;
    const value = control.type === "number" ? control.valueAsNumber : control.value.trim();
    const [outer, inner] = path.split(".");
    if (inner === undefined) request[outer] = value;
    else request[outer] = { ...request[outer], [inner]: value };
  }
  return request;
}

function showErrors(error, inputs, general) {
  const rest = [];
  for (const { path, message } of error instanceof ApiError ? error.errors : []) {
    const input = inputs.get(path) ?? inputs.get(path === "dataset" ? "dataset.id" : "");
    if (input) input.setError(message);
    else rest.push(`${path}: ${message}`);
  }
  const first = [...inputs.values()].find((input) => input.control.hasAttribute("aria-invalid"));
  if (first) first.control.focus();
  if (!first || rest.length > 0) {
    general.textContent = rest.length > 0 ? rest.join("; ") : error.message;
    general.hidden = false;
  }
}

async function fillDatasets(select) {
  try {
    const datasets = await callList("/v1/datasets");
    const options = datasets.map(({ id, name, splits }) => {
      const label = id === name ? id : `${name} (${splits.train.count} images)`;
      return element("option", { value: id }, label);
    });
    if (options.length > 0) select.replaceChildren(...options);
    select.value = "digits";
  } catch {
    // The list keeps its built-in data set. The others appear after a reload.
  }
}
