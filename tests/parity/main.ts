/**
 * `deno task parity [--backend NAME] [--vectors 128|256] FILE.safetensors|FOLDER…`: prints the largest difference from PyTorch's
 * results in each group, and exits with 1 if one exceeds its tolerance (forward pass 1e-5, gradients 1e-5 + 1e-4 relative,
 * parameters after AdamW steps 1e-5). A folder has a ViTMAE of Hugging Face and its results; all of its tolerances are
 * 1e-5. `share` is the largest difference divided by its tolerance. For vectors of 256 bits
 * it runs in a process with V8's flags.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { loadSettings } from "../../cli/settings/environment.ts";
import { selectBackend } from "../../model/backends/select.ts";
import { VECTOR_FLAGS, type VectorBits } from "../../model/backends/simd/vectorFlags.ts";
import { compareWithReference } from "./compare.ts";
import { compareWithVitMae } from "./vitMae.ts";

const { values, positionals } = parseArgs({
  args: Deno.args,
  allowPositionals: true,
  options: {
    backend: { type: "string", default: "auto" },
    vectors: { type: "string", default: "128" },
    /** Set in the process with V8's flags. */
    flagged: { type: "boolean", default: false },
  },
});
if (positionals.length === 0 || !["128", "256"].includes(values.vectors)) {
  console.error("Usage: deno task parity [--backend NAME] [--vectors 128|256] FILE.safetensors|FOLDER…");
  Deno.exit(2);
}
const requested = Number(values.vectors) as VectorBits;
if (requested === 256 && !values.flagged) {
  const script = fileURLToPath(import.meta.url);
  const args = ["run", "-A", `--v8-flags=${VECTOR_FLAGS.join(",")}`, script, "--flagged", ...Deno.args];
  Deno.exit((await new Deno.Command(Deno.execPath(), { args }).spawn().status).code);
}
let failed = false;
try {
  const settings = { ...loadSettings().compute, vectorBits: requested };
  const { name, planner, vectorBits } = await selectBackend(values.backend, settings);
  const width = vectorBits ? `, vectors of ${vectorBits} bits` : "";
  for (const file of positionals) {
    console.log(`${file} (backend ${name}${width})`);
    console.log(
      `  ${"group".padEnd(22)}${"absolute".padStart(10)}${"relative".padStart(10)}${"share".padStart(10)}`,
    );
    const isFolder = (await Deno.stat(file)).isDirectory;
    const groups = isFolder
      ? await compareWithVitMae(file, planner)
      : await compareWithReference(await Deno.readFile(file), planner);
    for (const { group, absolute, relative, share, worst } of groups) {
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
