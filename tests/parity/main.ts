/**
 * `deno task parity [--backend NAME] FILE.safetensors…`: prints each group's largest errors against PyTorch's exact
 * results and exits 1 where one is past its tolerance (forward 1e-5, gradients 1e-5 + 1e-4 relative, parameters after
 * AdamW steps 1e-5; `share` is the largest error over what is allowed).
 *
 * @module
 */
import { parseArgs } from "node:util";
import { loadSettings } from "../../cli/environment.ts";
import { BackendError } from "../../model/backends/backend.ts";
import { selectBackend } from "../../model/backends/select.ts";
import { compareWithReference } from "./compare.ts";

const { values, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: { backend: { type: "string", default: "auto" } },
});
if (positionals.length === 0) {
  console.error("Usage: deno task parity [--backend NAME] FILE.safetensors…");
  Deno.exit(2);
}
let failed = false;
try {
  const { name } = await selectBackend(values.backend, loadSettings().compute);
  for (const file of positionals) {
    console.log(`${file} (backend ${name})`);
    console.log(
      `  ${"group".padEnd(22)}${"absolute".padStart(10)}${"relative".padStart(10)}${"share".padStart(10)}`,
    );
    for (
      const { group, absolute, relative, share, worst } of await compareWithReference(
        await Deno.readFile(file),
      )
    ) {
      const fine = share <= 1;
      failed ||= !fine;
      const numbers = [absolute, relative, share].map((value) => value.toExponential(1).padStart(10)).join(
        "",
      );
      console.log(`  ${group.padEnd(22)}${numbers}  ${fine ? "ok" : `PAST ITS TOLERANCE in ${worst}`}`);
    }
  }
} catch (error) {
  const expected = error instanceof BackendError || error instanceof Deno.errors.NotFound ||
    error instanceof Error;
  console.error(expected ? (error as Error).message : error);
  Deno.exit(2);
}
if (failed) Deno.exit(1);
