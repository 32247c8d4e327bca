/**
 * `deno task parity [--backend NAME] FILE.safetensors…`: prints the largest difference from PyTorch's results in each
 * group, and exits with 1 if one exceeds its tolerance (forward pass 1e-5, gradients 1e-5 + 1e-4 relative, parameters
 * after AdamW steps 1e-5). `share` is the largest difference divided by its tolerance.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { loadSettings } from "../../cli/settings/environment.ts";
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
      const passes = share <= 1;
      failed ||= !passes;
      const numbers = [absolute, relative, share].map((value) => value.toExponential(1).padStart(10)).join(
        "",
      );
      console.log(`  ${group.padEnd(22)}${numbers}  ${passes ? "ok" : `EXCEEDS ITS TOLERANCE in ${worst}`}`);
    }
  }
} catch (error) {
  console.error(error instanceof Error ? error.message : error);
  Deno.exit(2);
}
if (failed) Deno.exit(1);
