/**
 * PyTorch on the same machine, one process a round, in turn with ours.
 *
 * @module
 */

/** A line of the peer's script. */
export interface PeerLine {
  readonly peer: string;
  readonly mode: string;
  readonly threads: number;
  readonly median_ms: number;
  readonly min_ms: number;
}

/**
 * Runs the peer's script once.
 *
 * @param python an interpreter that has torch
 * @throws {Error} with what the script said when it fails
 */
export async function peerLines(
  python: string,
  script: string,
  args: readonly string[],
): Promise<PeerLine[]> {
  const { success, stdout, stderr } = await new Deno.Command(python, { args: [script, ...args] }).output();
  if (!success) throw new Error(`${script} failed:\n${new TextDecoder().decode(stderr).slice(-2000)}`);
  return new TextDecoder().decode(stdout).trim().split("\n").map((line) => JSON.parse(line));
}
