/**
 * Signals that stop a process.
 *
 * @module
 */

/** Resolves at the first SIGTERM or SIGINT. The second one exits the process immediately. */
export function stopSignal(): Promise<Deno.Signal> {
  return new Promise((resolve) => {
    let isStopping = false;
    for (const signal of ["SIGTERM", "SIGINT"] as const) {
      Deno.addSignalListener(signal, () => {
        if (isStopping) Deno.exit(signal === "SIGINT" ? 130 : 143);
        isStopping = true;
        resolve(signal);
      });
    }
  });
}
