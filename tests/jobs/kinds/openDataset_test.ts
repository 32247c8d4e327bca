import { expect } from "expect";
import { writeManifest } from "../../../data/datasets/stored/manifest.ts";
import { releaseInfo } from "../../../data/datasets/builtIn/releases.ts";
import type { ObjectStore } from "../../../data/objects/store.ts";
import type { KindContext, KindEvent } from "../../../jobs/kinds/kind.ts";
import { DEFAULT_DATASET_SETTINGS } from "../../../data/datasets/settings.ts";
import { DEFAULT_KIND_SETTINGS } from "../../../jobs/kinds/settings.ts";
import { runJob } from "../../../jobs/kinds/mod.ts";
import { Bench } from "../bench.ts";
import { request } from "../fixtures.ts";

/** Stores eight images as if the data set had been downloaded. */
async function storeDownloaded(store: ObjectStore): Promise<void> {
  const [images, labels] = ["train-images.raw", "train-labels.raw"].map((name) => `datasets/mnist/${name}`);
  await store.put(images, new Uint8Array(8 * 28 * 28));
  await store.put(labels, new Uint8Array(8));
  const train = { count: 8, images, labels };
  await writeManifest(store, {
    info: releaseInfo("mnist"),
    storage: { kind: "raw", train, test: null, heldOut: null },
  });
}

/** Runs a job on MNIST with mirrors that cannot be reached. `received` is called with every event. */
async function runWithoutMirrors(
  bench: Bench,
  signal: AbortSignal,
  received: (event: KindEvent) => Promise<void> | void,
): Promise<void> {
  // Nothing listens on port 1.
  const datasets = {
    ...DEFAULT_DATASET_SETTINGS,
    mirrors: { mnist: ["http://127.0.0.1:1/"] },
    downloadsDir: `${bench.folder}/data/downloads`,
  };
  const context: KindContext = {
    jobId: `job_${"0".repeat(26)}`,
    request: request({ model: { patch_size: 7, depth: 1 }, dataset: "mnist", batch_size: 8 }),
    settings: { ...DEFAULT_KIND_SETTINGS, datasets },
    store: bench.store,
    resumeFrom: null,
    source: null,
    signal,
  };
  for await (const event of runJob(context)) await received(event);
}

Deno.test("a run waits for a data set that cannot be downloaded, and reports this once", async () => {
  await using bench = await Bench.open();
  const events: KindEvent[] = [];
  await runWithoutMirrors(bench, new AbortController().signal, async (event) => {
    events.push(event);
    if (event.type === "log") await storeDownloaded(bench.store);
  });
  expect(events.filter(({ type }) => type === "log")).toEqual([
    { type: "log", level: "warning", message: expect.stringMatching(/127\.0\.0\.1:1.*tried again/) },
  ]);
  expect(events.at(-1)).toMatchObject({ type: "result", result: { steps: 1 } });
});

Deno.test("a run that waits for a download ends on a cancel", async () => {
  await using bench = await Bench.open();
  const stop = new AbortController();
  const run = runWithoutMirrors(bench, stop.signal, () => stop.abort(new Error("cancelled")));
  await expect(run).rejects.toThrow("cancelled");
});
