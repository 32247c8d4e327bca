/**
 * Runs external programs for tests.
 *
 * @module
 */

/** Result of a program. */
export interface Outcome {
  readonly code: number;
  /** Standard output, followed by standard error. */
  readonly output: string;
}

/** Options for running a program. */
export interface RunOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** Runs a program until it exits. */
export async function run(program: string, args: readonly string[], options: RunOptions): Promise<Outcome> {
  const { code, stdout, stderr } = await new Deno.Command(program, { args: [...args], ...options }).output();
  const text = new TextDecoder();
  return { code, output: text.decode(stdout) + text.decode(stderr) };
}

/**
 * Runs the program of an npm package from Deno's cache.
 *
 * @param packageName with its version, such as `openapi-typescript@7.13.0`
 */
export async function runPackage(
  packageName: string,
  args: readonly string[],
  options: RunOptions,
): Promise<Outcome> {
  return await run(
    Deno.execPath(),
    ["run", "--quiet", "-A", "--no-lock", "--no-config", `npm:${packageName}`, ...args],
    { ...options, env: { NO_COLOR: "1", ...options.env } },
  );
}
