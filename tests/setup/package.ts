/**
 * Debian packages for tests.
 *
 * @module
 */

/**
 * Installs packages in CI (`CI=true`). Elsewhere it installs nothing and returns `hint`.
 *
 * @param hint the reason why a package is missing, or what to install
 * @returns the reason why a package is not installed, or null
 */
export async function installPackage(name: string | readonly string[], hint: string): Promise<string | null> {
  if (Deno.env.get("CI") !== "true") return hint;
  for (
    const args of [["update", "-qq"], ["install", "-y", "-qq", "--no-install-recommends", ...[name].flat()]]
  ) {
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
