import { expect } from "expect";
import { startProcess } from "../../cli/process.ts";
import { idxDigits, pngDigit, tarGz } from "../setup/uploads.ts";

/** The examples of the README, as one script whose first failing request ends it. */
function script(readme: string, address: string): string {
  const blocks = [...readme.matchAll(/^```sh\n(.*?)^```$/gms)].map(([, block]) => block);
  expect(blocks.length).toBeGreaterThan(5);
  const strict = 'set -euo pipefail\ncurl() { command curl --fail-with-body "$@"; }\n';
  return strict + blocks.join("\n").replaceAll("localhost:8000", address);
}

async function makeFiles(folder: string): Promise<void> {
  const train = idxDigits(60, "train"), test = idxDigits(20, "test");
  const write = (name: string, bytes: Uint8Array) => Deno.writeFile(`${folder}/${name}`, bytes);
  await write("train-images-idx3-ubyte.gz", train.images);
  await write("train-labels-idx1-ubyte.gz", train.labels);
  await write("t10k-images-idx3-ubyte.gz", test.images);
  await write("t10k-labels-idx1-ubyte.gz", test.labels);
  await write("digit.png", await pngDigit(0));
  const names = ["cats/1.png", "cats/2.png", "dogs/1.png", "dogs/2.png", "dogs/3.png"];
  const pictures = await Promise.all(names.map(async (name, at) => [name, await pngDigit(at)] as const));
  await write("pictures.tar.gz", await tarGz(Object.fromEntries(pictures)));
}

Deno.test("every curl example of the README works as it stands there", async () => {
  const folder = await Deno.makeTempDir();
  await makeFiles(folder);
  await using service = await startProcess("start", `${folder}/data`);
  const readme = await Deno.readTextFile(new URL("../../README.md", import.meta.url));
  const { code, stdout, stderr } = await new Deno.Command("bash", {
    args: ["-c", script(readme, new URL(service.url).host)],
    cwd: folder,
    stdout: "piped",
    stderr: "piped",
  }).output();
  const output = new TextDecoder().decode(stdout), errors = new TextDecoder().decode(stderr);
  expect({ code, errors, output: code === 0 ? "" : output.slice(-3000) }).toMatchObject({ code: 0 });

  expect(output).toContain("event: checkpoint");
  expect(output).toContain('"test_accuracy"');
  expect(output).toContain('"confusion"');
  expect(output).toContain('"object":"confusion"');
  expect(output).toContain('"class_names":["cats","dogs"]');
  expect(output).toContain('"status":"cancelled"');
  for (const picture of ["triptych.png", "own.png"]) {
    expect([...(await Deno.readFile(`${folder}/${picture}`)).subarray(1, 4)]).toEqual([0x50, 0x4e, 0x47]);
  }
  expect(JSON.parse(await Deno.readTextFile(`${folder}/openapi.json`)).openapi).toBe("3.1.0");
  const { code: ended, output: said } = await service.end("SIGTERM");
  expect({ ended, said }).toMatchObject({ ended: 0 });
  await Deno.remove(folder, { recursive: true });
});
