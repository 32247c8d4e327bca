/**
 * The dashboard: a list of jobs beside the chosen one (`#/jobs/{id}`), both kept up to date.
 *
 * @module
 */
import { jobDetail } from "./detail.js";
import { newJobForm } from "./form.js";
import { jobList } from "./joblist.js";

/** Milliseconds between two looks at the server. */
const PERIOD = 1000;

const container = document.getElementById("detail");
const welcome = [...container.children];
const notice = document.getElementById("notice");
const list = jobList();
let detail = null;

function failed(error) {
  notice.textContent = error.message;
  notice.hidden = false;
}

/** The job the address names, or null. */
function chosenJob() {
  const match = /^#\/jobs\/(job_[0-9A-Za-z]+)$/.exec(location.hash);
  return match === null ? null : match[1];
}

function open() {
  detail?.close();
  const id = chosenJob();
  list.select(id);
  detail = id === null
    ? null
    : jobDetail(container, id, { failed, changed: () => list.refresh().catch(failed) });
  if (id === null) container.replaceChildren(...welcome);
  else container.querySelector("h1").focus({ preventScroll: true });
  refresh();
}

async function refresh() {
  try {
    await Promise.all([list.refresh(), detail?.finished ? null : detail?.refresh()]);
    notice.hidden = true;
  } catch (error) {
    failed(error);
  }
}

async function tick() {
  if (!document.hidden) await refresh();
  setTimeout(tick, PERIOD);
}

newJobForm(document.getElementById("new-job"), (job) => {
  location.hash = `#/jobs/${job.id}`;
  list.refresh().catch(failed);
});
globalThis.addEventListener("hashchange", open);
document.querySelector(".skip").addEventListener("click", (event) => {
  // The address names the chosen job, so the link must not change it.
  event.preventDefault();
  document.getElementById("main").focus();
});
open();
setTimeout(tick, PERIOD);
