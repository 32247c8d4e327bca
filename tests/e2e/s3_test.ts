import { expect } from "expect";
import { findVersitygw, startVersitygw } from "../setup/versitygw.ts";
import { startProcess } from "../../cli/process.ts";
import { idxDigits } from "../setup/uploads.ts";

const program = await findVersitygw();

Deno.test({
  name: "an API process and a runner process share a database and an S3 server",
  ignore: program === null,
  async fn() {
    const folder = await Deno.makeTempDir();
    await using server = (await startVersitygw())!;
    const names = ["AWS_ENDPOINT_URL", "AWS_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"];
    const env = {
      UNMASK_STORE: `s3://${server.bucket}/unmask/test`,
      ...Object.fromEntries(names.map((name) => [name, server.env(name)!])),
    };
    await using api = await startProcess("api", folder, env);
    await using _runner = await startProcess("runner", folder, env);
    const { client } = api;

    const { images, labels } = idxDigits(64, "train");
    const form = new FormData();
    form.set("train_images", new File([images], "images"));
    form.set("train_labels", new File([labels], "labels"));
    const dataset = await (await client.send("/v1/datasets", { method: "POST", body: form })).json();
    const job = await client.createJob({
      kind: "pretrain",
      dataset: dataset.id,
      batch_size: 16,
      model: { patch_size: 7, depth: 1, decoder_depth: 1 },
    });
    const finished = await client.waitFor(job.id, () => {});
    const path = `/v1/checkpoints/${finished.latest_checkpoint}/content`;
    const content = new Uint8Array(await (await client.send(path)).arrayBuffer());
    const part = await client.send(path, { headers: { range: "bytes=-100" } });
    expect(part.status).toBe(206);
    expect(new Uint8Array(await part.arrayBuffer())).toEqual(content.slice(-100));
    const image = await client.post(
      "/v1/reconstructions",
      { job: job.id, dataset: { id: dataset.id, indices: [0] } },
      "image/png",
    );
    expect((await image.arrayBuffer()).byteLength).toBeGreaterThan(500);
    await client.send(`/v1/jobs/${job.id}`, { method: "DELETE" });
    expect((await fetch(`${api.url}${path}`)).status).toBe(404);
    await Deno.remove(folder, { recursive: true });
  },
});
