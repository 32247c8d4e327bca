import { expect } from "expect";
import { writeManifest } from "../../../data/datasets/stored/manifest.ts";
import { releaseInfo } from "../../../data/datasets/builtIn/releases.ts";
import type { ObjectStore } from "../../../data/objects/store.ts";
import type { KindEvent } from "../../../jobs/kinds/kind.ts";
import { DEFAULT_DATASET_SETTINGS } from "../../../data/datasets/settings.ts";
import { DEFAULT_KIND_SETTINGS } from "../../../jobs/kinds/settings.ts";
import { runJob } from "../../../jobs/kinds/mod.ts";
import { KindHarness } from "./harness.ts";

/** Stores eight images as a downloaded data set. */
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
  harness: KindHarness,
  signal: AbortSignal,
  received: (event: KindEvent) => Promise<void> | void,
): Promise<void> {
  const datasets = {
    ...DEFAULT_DATASET_SETTINGS,
    mirrors: { mnist: ["http://127.0.0.1:1/"] }, // No server has port 1.
    downloadsDir: `${harness.folder}/data/downloads`,
  };
  const body = { model: { patch_size: 7, depth: 1 }, dataset: "mnist", batch_size: 8 };
  const settings = { ...DEFAULT_KIND_SETTINGS, datasets };
  const context = harness.context(body, { settings, signal });
  for await (const event of runJob(context)) await received(event);
}

Deno.test("a run retries a download, and reports this once", async () => {
  await using harness = await KindHarness.open();
  const events: KindEvent[] = [];
  await runWithoutMirrors(harness, new AbortController().signal, async (event) => {
    events.push(event);
    if (event.type === "log") await storeDownloaded(harness.store);
  });
  expect(events.filter(({ type }) => type === "log")).toEqual([
    { type: "log", level: "warning", message: expect.stringMatching(/127\.0\.0\.1:1.*tried again/) },
  ]);
  expect(events.at(-1)).toMatchObject({ type: "result", result: { steps: 1 } });
});

Deno.test("a run that retries a download ends when its signal is aborted", async () => {
  await using harness = await KindHarness.open();
  const stop = new AbortController();
  const run = runWithoutMirrors(harness, stop.signal, () => stop.abort(new Error("cancelled")));
  await expect(run).rejects.toThrow("cancelled");
});
