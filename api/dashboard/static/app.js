/**
 * The dashboard: the list of jobs and the selected job (`#/jobs/{id}`), both updated every second, and the imported
 * checkpoints, of which one can be selected (`#/checkpoints/{id}`).
 *
 * @module
 */
import { checkpointDetail } from "./checkpoint.js";
import { jobDetail } from "./detail.js";
import { newJobForm } from "./form.js";
import { importList } from "./imports.js";
import { jobList } from "./joblist.js";

/** Time between two updates, in milliseconds. */
const UPDATE_MS = 1000;
/** Updates of the jobs for one update of the imported checkpoints. */
const UPDATES_PER_IMPORTS = 10;

const container = document.getElementById("detail");
const welcome = [...container.children];
const notice = document.getElementById("notice");
const list = jobList();
const imports = importList();
let updates = 0;
let detail = null;

function showError(error) {
  notice.textContent = error.message;
  notice.hidden = false;
}

/** Returns the id of the job or checkpoint in the address, or null. */
function selectedId() {
  const match = /^#\/(?:jobs\/(job_[0-9A-Za-z]+)|checkpoints\/(ckpt_[0-9A-Za-z]+))$/.exec(location.hash);
  return match === null ? null : match[1] ?? match[2];
}

/** Shows the panel of a job or a checkpoint. */
function showDetail(id) {
  if (id.startsWith("ckpt_")) return checkpointDetail(container, id);
  return jobDetail(container, id, { onError: showError, onChange: () => list.refresh().catch(showError) });
}

function open() {
  detail?.close();
  const id = selectedId();
  list.select(id);
  imports.select(id);
  detail = id === null ? null : showDetail(id);
  if (id === null) container.replaceChildren(...welcome);
  else container.querySelector("h1").focus({ preventScroll: true });
  refresh();
}

async function refresh() {
  try {
    const readsImports = updates++ % UPDATES_PER_IMPORTS === 0;
    await Promise.all([
      list.refresh(),
      detail?.finished ? null : detail?.refresh(),
      readsImports ? imports.refresh() : null,
    ]);
    notice.hidden = true;
  } catch (error) {
    showError(error);
  }
}

async function tick() {
  if (!document.hidden) await refresh();
  setTimeout(tick, UPDATE_MS);
}

newJobForm(document.getElementById("new-job"), (job) => {
  location.hash = `#/jobs/${job.id}`;
  list.refresh().catch(showError);
});
globalThis.addEventListener("hashchange", open);
document.querySelector(".skip").addEventListener("click", (event) => {
  // The hash of the address is the selected job, so the link must not change it.
  event.preventDefault();
  document.getElementById("main").focus();
});
open();
setTimeout(tick, UPDATE_MS);
