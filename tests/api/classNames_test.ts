import { expect } from "expect";
import { readHeader } from "../../data/safetensors/safetensors.ts";
import { keys } from "../../jobs/store/rows/keys.ts";
import { pngDigit, tarGz } from "../setup/uploads.ts";
import { unzip } from "../setup/unzip.ts";
import { problemOf, TestApi, TINY } from "./fixtures.ts";
import { TINY_VIT, tinyUpload, tinyWeights } from "./importFiles.ts";
import { TestRunner } from "./runner.ts";

const MODEL = {
  patch_size: TINY.patchSize,
  embed_dim: TINY.embedDim,
  depth: TINY.depth,
  num_heads: TINY.numHeads,
};
const numbered = (count: number, nameOf: (index: string) => string) =>
  Array.from({ length: count }, (_, i) => nameOf(String(i).padStart(4, "0")));
const NAMES: Record<string, string[]> = {
  "600 names of 125 characters": numbered(600, (index) => `${index} `.padEnd(125, "a long name of a class ")),
  "1,000 species names": numbered(
    1000,
    (index) => `Genus${index} species${index} subsp. ferruginea-montana`,
  ),
  "4,096 non-Latin names of 80 characters": numbered(4096, (index) => `${index}${"猫の名前".repeat(19)}`),
};

for (const [title, names] of Object.entries(NAMES)) {
  Deno.test(`a classifier of ${title} can be trained, inspected, used and evaluated`, async () => {
    await using api = await TestApi.open();
    const image = await pngDigit(0);
    const archive = await tarGz(
      Object.fromEntries(
        names.flatMap((name) => [[`train/${name}/0.png`, image], [`test/${name}/1.png`, image]]),
      ),
    );
    const { id: dataset, class_names: classes } = await (await api.upload({ archive })).json();
    expect(classes).toEqual(names);
    expect(await (await api.send(`/v1/datasets/${dataset}`)).json()).toMatchObject({ class_names: names });
    const { data: listed } = await (await api.send("/v1/datasets")).json();
    expect(listed.find(({ id }: { id: string }) => id === dataset))
      .toMatchObject({ num_classes: names.length, class_names: null });
    await using runner = new TestRunner(api);
    const job = await runner.run({
      kind: "finetune",
      dataset,
      model: MODEL,
      batch_size: 128,
      max_steps: 2,
      checkpoint_every: { steps: 1 },
    });
    expect(job).toMatchObject({ status: "succeeded", error: null });
    const id = job.latest_checkpoint!;

    const row = await api.kv.get<Record<string, unknown>>(keys.checkpoint(id));
    expect(JSON.stringify(row.value).length).toBeLessThan(4096);
    const alone = await (await api.send(`/v1/checkpoints/${id}`)).json();
    expect(alone).toMatchObject({ num_classes: names.length, class_names: names });
    const { data } = await (await api.send(`/v1/jobs/${job.id}/checkpoints`)).json();
    expect(data.length).toBe(2);
    for (const item of data) expect(item).toMatchObject({ num_classes: names.length, class_names: null });
    const file = new Uint8Array(await (await api.send(`/v1/checkpoints/${id}/content`)).arrayBuffer());
    expect(JSON.parse(readHeader(file).metadata.class_names)).toEqual(names);

    const body = { checkpoint: id, pictures: [image.toBase64()] };
    const response = await (await api.post("/v1/classifications", body)).json();
    expect(response.class_names).toEqual(names);
    expect(response.data[0].class_name).toBe(names[response.data[0].label]);
    const measured = await runner.run({ kind: "evaluate", checkpoint: id, dataset });
    expect(measured).toMatchObject({ status: "succeeded", result: { classes: names.length } });
  });
}

Deno.test("a row of an earlier version, with class names but without their number, is returned as before", async () => {
  await using api = await TestApi.open();
  const checkpoint = await api.model("classifier");
  const { classes: _, stateSha256: __, ...old } = checkpoint;
  await api.kv.set(keys.checkpoint(checkpoint.id), old);
  const response = await (await api.send(`/v1/checkpoints/${checkpoint.id}`)).json();
  expect(response).toMatchObject({ num_classes: 10, class_names: checkpoint.classNames, resumable: true });
  const body = { checkpoint: checkpoint.id, pictures: [(await pngDigit(0)).toBase64()] };
  expect((await api.post("/v1/classifications", body)).status).toBe(200);
});

Deno.test("an imported classifier keeps two classes of one name, and cannot be measured by that name", async () => {
  await using api = await TestApi.open();
  const { tensors, config } = tinyWeights("huggingface", { model: "classifier", classes: 3 }, {
    ...TINY_VIT,
    pool: "cls",
  });
  const names = ["crane", "owl", "crane"];
  const id2label = Object.fromEntries(names.entries());
  const imported = await api.importWeights(tinyUpload({ tensors, config: { ...config, id2label } }));
  const { id, class_names } = await imported.json();
  expect(class_names).toEqual(names);

  const image = await pngDigit(0);
  const classified = await (await api.post("/v1/classifications", {
    checkpoint: id,
    pictures: [image.toBase64()],
  })).json();
  expect(classified.class_names).toEqual(names);
  expect(classified.data[0].probabilities.length).toBe(3);

  const zip = await api.send(`/v1/checkpoints/${id}/content?format=huggingface`);
  const files = await unzip(new Uint8Array(await zip.arrayBuffer()));
  expect(JSON.parse(new TextDecoder().decode(files["config.json"])).id2label).toEqual(id2label);

  const folder = (name: string) => [[`train/${name}/0.png`, image], [`test/${name}/1.png`, image]];
  const archive = await tarGz(Object.fromEntries(["crane", "owl"].flatMap(folder)));
  const { id: dataset } = await (await api.upload({ archive })).json();
  const { errors } = await problemOf(
    await api.post("/v1/jobs", { kind: "evaluate", checkpoint: id, dataset }),
    422,
  );
  expect(errors).toEqual([{
    path: "dataset",
    message: expect.stringMatching(/names several classes of the classifier have: 'crane'/),
  }]);
  const finetune = { kind: "finetune", checkpoint: id, dataset, batch_size: 2, max_steps: 1 };
  expect((await api.post("/v1/jobs", finetune)).status).toBe(201);
});
