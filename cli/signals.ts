/**
 * The end of a process: once asked, in order; asked twice, at once.
 *
 * @module
 */

/** Resolves at the first SIGTERM or SIGINT; a second one ends the process. */
export function untilAsked(): Promise<Deno.Signal> {
  return new Promise((resolve) => {
    let asked = false;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      Deno.addSignalListener(signal, () => {
        if (asked) Deno.exit(signal === "SIGINT" ? 130 : 143);
        asked = true;
        resolve(signal);
      });
    }
  });
}
