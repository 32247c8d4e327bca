import { expect } from "expect";
import { openUploadFolder } from "../../api/body/uploadFolder.ts";

const exists = (path: string) => Deno.stat(path).then(() => true, () => false);

Deno.test("the sweep removes uploads of killed processes and keeps those of running ones", async () => {
  const root = await Deno.makeTempDir();
  const module = new URL("../../api/body/uploadFolder.ts", import.meta.url).href;
  const child = new Deno.Command(Deno.execPath(), {
    args: [
      "eval",
      `import { openUploadFolder } from "${module}";
       const { path } = openUploadFolder("${root}/uploads");
       Deno.writeTextFileSync(path + "/0", "a part of an upload");
       console.log(path);
       setInterval(() => {}, 1000);`,
    ],
    stdout: "piped",
  }).spawn();
  const reader = child.stdout.pipeThrough(new TextDecoderStream()).getReader();
  const theirs = (await reader.read()).value!.trim();
  reader.cancel();

  const ours = openUploadFolder(`${root}/uploads`);
  expect(await ours.sweep()).toEqual([]);
  expect(await exists(`${theirs}/0`)).toBe(true);
  child.kill("SIGKILL");
  await child.status;
  expect(await ours.sweep()).toEqual([theirs]);
  expect(await exists(theirs)).toBe(false);
  expect(await exists(ours.path)).toBe(true);
  await ours.close();
  expect(await exists(ours.path)).toBe(false);
  await Deno.remove(root, { recursive: true });
});
