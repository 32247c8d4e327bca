/**
 * Runs the programs that the set-up of the TensorFlow backend needs.
 *
 * @module
 */

/** The backend cannot be set up. The message has the reason. */
export class SetupError extends Error {
  override readonly name = "SetupError";
}

/** Options of {@linkcode runProgram}. */
export interface ProgramOptions {
  readonly cwd?: string;
  /** Completes the error "The set-up needs …", such as "g++ (Debian: apt-get install g++)". */
  readonly needs: string;
}

/**
 * Runs a program until it exits.
 *
 * @returns its standard output
 * @throws {SetupError} when the program is missing, or with the end of its output when it fails
 */
export async function runProgram(
  program: string,
  args: readonly string[],
  { cwd, needs }: ProgramOptions,
): Promise<string> {
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(program, { args: [...args], cwd, stdin: "null" }).output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new SetupError(`The set-up needs ${needs}`, { cause: error });
  }
  const [stdout, stderr] = [output.stdout, output.stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (output.success) return stdout;
  throw new SetupError(
    `${program} ${args.slice(0, 3).join(" ")} failed:\n${(stdout + stderr).trim().slice(-2000)}`,
  );
}
