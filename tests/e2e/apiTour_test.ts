import { expect } from "expect";
import { startProcess } from "../../cli/process.ts";
import { encodePng } from "../../data/images/encodePng.ts";
import { writeSafetensors } from "../../data/safetensors/safetensors.ts";
import { tinyWeights } from "../api/importFiles.ts";
import { zipOfImages } from "../setup/archives.ts";
import { run } from "../setup/command.ts";
import { idxDigits, pngDigit, tarGz } from "../setup/uploads.ts";

/** The `sh` blocks of a document as one script. It stops at the first request that fails. */
async function script(document: string, address: string): Promise<string> {
  const text = await Deno.readTextFile(new URL(`../../${document}`, import.meta.url));
  const blocks = [...text.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block);
  const strict = 'set -euo pipefail\ncurl() { command curl --fail-with-body "$@"; }\n';
  return strict + blocks.join("\n").replaceAll("localhost:8000", address);
}

/** Writes the files that the commands upload. */
async function writeUploads(folder: string): Promise<void> {
  const train = idxDigits(60, "train"), test = idxDigits(20, "test");
  const write = (name: string, bytes: Uint8Array) => Deno.writeFile(`${folder}/${name}`, bytes);
  await write("train-images-idx3-ubyte.gz", train.images);
  await write("train-labels-idx1-ubyte.gz", train.labels);
  await write("t10k-images-idx3-ubyte.gz", test.images);
  await write("t10k-labels-idx1-ubyte.gz", test.labels);
  await write("digit.png", await pngDigit(0));
  const { tensors, config } = tinyWeights(), square = { height: 16, width: 16 };
  await write("model.safetensors", writeSafetensors(tensors));
  await Deno.writeTextFile(`${folder}/config.json`, JSON.stringify(config));
  await Deno.writeTextFile(`${folder}/preprocessor_config.json`, JSON.stringify({ size: square }));
  const names = ["cats/1.png", "cats/2.png", "dogs/1.png", "dogs/2.png", "dogs/3.png"];
  const images = await Promise.all(names.map(async (name, index) => [name, await pngDigit(index)] as const));
  await write("images.tar.gz", await tarGz(Object.fromEntries(images)));
  const pets = ["cat", "dog"].flatMap((name) => Array.from({ length: 12 }, (_, i) => `${name}/${i}.png`));
  await write("pets.zip", await zipOfImages(...pets));
  await write("cat.png", await encodePng(new Uint8Array(40 * 20 * 3).fill(200), 40, 20, 3));
}

Deno.test("the curl commands of the documents work as written", async (t) => {
  const folder = await Deno.makeTempDir();
  await using service = await startProcess("start", `${folder}/data`);
  const runDocument = async (document: string, cwd: string): Promise<string> => {
    const commands = await script(document, new URL(service.url).host);
    const { code, output } = await run("bash", ["-c", commands], { cwd });
    expect({ code, output: code === 0 ? "" : output.slice(-3000) }).toEqual({ code: 0, output: "" });
    return output;
  };
  const expectPng = async (path: string) =>
    expect([...(await Deno.readFile(path)).subarray(1, 4)]).toEqual([0x50, 0x4e, 0x47]);

  await t.step("README.md", async () => {
    const cwd = `${folder}/readme`;
    await Deno.mkdir(cwd);
    const output = await runDocument("README.md", cwd);
    expect(output).toContain('"status":"succeeded"');
    expect(output).toContain('"object":"metrics"');
    expect((await Deno.stat(`${cwd}/mae.safetensors`)).size).toBeGreaterThan(600_000);
    await expectPng(`${cwd}/figure.png`);
  });

  await t.step("docs/api.md", async () => {
    const cwd = `${folder}/tour`;
    await Deno.mkdir(cwd);
    await writeUploads(cwd);
    const output = await runDocument("docs/api.md", cwd);
    expect(output).toContain("event: checkpoint");
    expect(output).toContain('"test_accuracy"');
    expect(output).toContain('"confusion"');
    expect(output).toContain('"object":"confusion"');
    expect(output).toContain('"class_names":["cats","dogs"]');
    expect(output).toContain('"status":"cancelled"');
    expect(output).toContain('"format":"huggingface"');
    expect(output).toContain('"format":"unmask"');
    expect(output).toContain('"class_names":["cat","dog"]');
    for (const folder of ["huggingface", "adapted"]) {
      for (const name of ["model.safetensors", "config.json", "preprocessor_config.json"]) {
        expect((await Deno.stat(`${cwd}/${folder}/${name}`)).isFile).toBe(true);
      }
    }
    const adapted = JSON.parse(await Deno.readTextFile(`${cwd}/adapted/config.json`));
    expect(adapted).toMatchObject({ image_size: 32, id2label: { 0: "cat", 1: "dog" } });
    expect(adapted.architectures).toEqual(["ViTForImageClassification"]);
    for (const name of ["cat-figure", "figure", "own", "errors"]) await expectPng(`${cwd}/${name}.png`);
    expect(JSON.parse(await Deno.readTextFile(`${cwd}/openapi.json`)).openapi).toBe("3.1.0");
  });

  const { code, output } = await service.end("SIGTERM");
  expect({ code, output }).toMatchObject({ code: 0 });
  await Deno.remove(folder, { recursive: true });
});
