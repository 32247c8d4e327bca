/**
 * Programs that the set-up of the native backend runs.
 *
 * @module
 */

/** The backend cannot be set up; the message says why. */
export class SetupError extends Error {
  override readonly name = "SetupError";
}

/** How a program is run. */
export interface ProgramOptions {
  readonly cwd?: string;
  /** What is missing when the program is, as "g++ (Debian: apt-get install g++)". */
  readonly needs: string;
}

/**
 * Runs a program to its end.
 *
 * @returns what it printed to standard output
 * @throws {SetupError} when it is not there, or with the end of what it said when it fails
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
    throw new SetupError(`It needs ${needs}`, { cause: error });
  }
  const [stdout, stderr] = [output.stdout, output.stderr].map((bytes) => new TextDecoder().decode(bytes));
  if (output.success) return stdout;
  throw new SetupError(
    `${program} ${args.slice(0, 3).join(" ")} failed:\n${(stdout + stderr).trim().slice(-2000)}`,
  );
}
