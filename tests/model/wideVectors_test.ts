import { expect } from "expect";
import { missingInstructions } from "../../jobs/process/machine.ts";
import { VECTOR_FLAGS } from "../../model/backends/simd/vectorFlags.ts";

/** The files with tests of the kernels, of plans and of parity, and the names of those that depend on the vectors. */
const FILES = [
  "kernelBounds_test.ts",
  "kernels_test.ts",
  "ops_test.ts",
  "plan_test.ts",
  "prediction_test.ts",
  "trainer_test.ts",
  "../parity/parity_test.ts",
];
const NAMES = "/256 bits|gemm|width of vectors|the vectors|its buffers|predictions equal/";

/** Runs Deno with V8's flags for 256 bits. Without V8's baseline compiler, even a function that runs once is fused. */
async function runWithFlags(args: string[]) {
  const [command, ...rest] = args, flags = [...VECTOR_FLAGS, "--no-liftoff"].join(",");
  const { code, signal, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: [command, `--v8-flags=${flags}`, ...rest],
    cwd: import.meta.dirname,
    env: { NO_COLOR: "1" },
  }).output();
  const text = new TextDecoder();
  return { code, signal, output: text.decode(stdout) + text.decode(stderr) };
}

const missing = await missingInstructions() ??
  ((await runWithFlags(["eval", ""])).output.includes("V8 did not recognize flag")
    ? "V8 does not have the flags"
    : null);
if (missing !== null) console.warn(`Ignored: tests of vectors of 256 bits (${missing})`);

Deno.test({
  name: "kernels, plans and parity are right in the code that V8 generates with its flags for 256 bits",
  ignore: missing !== null,
  async fn() {
    const { code, signal, output } = await runWithFlags([
      "test",
      "-A",
      "--no-check",
      `--filter=${NAMES}`,
      ...FILES,
    ]);
    if (code !== 0) throw new Error(`exit code ${code}, signal ${signal}\n${output}`);
    expect(Number(/(\d+) passed/.exec(output)?.[1])).toBeGreaterThan(40);
  },
});
