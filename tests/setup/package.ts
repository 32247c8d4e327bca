/**
 * Debian's packages for tests.
 *
 * @module
 */

/**
 * Installs a package; only in CI (`CI=true`), where the machine is ours.
 *
 * @param otherwise why it is missing elsewhere
 * @returns why it is not installed, or null
 */
export async function installPackage(name: string, otherwise: string): Promise<string | null> {
  if (Deno.env.get("CI") !== "true") return otherwise;
  for (const args of [["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", name]]) {
    try {
      const { success, stderr } = await new Deno.Command("apt-get", {
        args,
        env: { DEBIAN_FRONTEND: "noninteractive" },
      }).output();
      if (!success) return new TextDecoder().decode(stderr).slice(-500);
    } catch (error) {
      return (error as Error).message;
    }
  }
  return null;
}
