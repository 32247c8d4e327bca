/**
 * Python scripts that compute with PyTorch.
 *
 * @module
 */

/** Python or one of its packages is missing. The message names what to install. */
export class PythonError extends Error {
  override readonly name = "PythonError";
}

/**
 * Runs a script to its end.
 *
 * @param python path or name of the interpreter, from `--python`
 * @param packages pip packages that the script needs
 * @returns its standard output
 * @throws {PythonError} when the interpreter or a package is missing
 * @throws {Error} with the output of a script that failed
 */
export async function runScript(
  python: string,
  script: URL,
  args: readonly string[],
  packages: readonly string[],
): Promise<string> {
  const choose = `choose with --python PATH an interpreter that has them (pip install ${packages.join(" ")})`;
  let output: Deno.CommandOutput;
  try {
    output = await new Deno.Command(python, { args: [script.pathname, ...args] }).output();
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    throw new PythonError(`'${python}' does not exist: ${choose}`);
  }
  if (output.success) return new TextDecoder().decode(output.stdout);
  const message = new TextDecoder().decode(output.stderr);
  const missing = /ModuleNotFoundError: No module named '([^']+)'/.exec(message);
  if (missing) throw new PythonError(`'${python}' has no package '${missing[1]}': ${choose}`);
  throw new Error(`${script.pathname} failed:\n${message.slice(-2000)}`);
}
