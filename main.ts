/**
 * The command line: `start`, `api`, `runner`, `health`, `demo` and `help`.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { ApiError } from "./cli/client.ts";
import { DEMO_OPTIONS, DemoError, runDemo } from "./cli/demo/demo.ts";
import { checkHealth } from "./cli/service/health.ts";
import { isOptionError } from "./cli/optionError.ts";
import { type Parts, type Service, startService } from "./cli/service/service.ts";
import { loadSettings, unknownVariables } from "./cli/settings/environment.ts";
import { describeSettings, SettingsError } from "./cli/settings/settings.ts";
import { stopSignal } from "./cli/signals.ts";

const USAGE = `Usage: deno run -A main.ts COMMAND, or deno task start|api|runner|demo

  start    runs the API and one runner in one process
  api      runs the API
  runner   runs a runner, on the database and object storage of an API
  health   checks that the database and object storage respond
  demo     runs training jobs over HTTP and writes images; options:
             --dataset digits|mnist|fashion-mnist|ds_…   --mnist FOLDER   --size N
             --epochs N   --finetune-epochs N   --finetune-steps N   --batch-size N
             --seed N   --out FOLDER
  help     lists the settings

start and runner have the option --threads N, the threads of a training job (by default all cores).
Settings are environment variables. docs/operations.md describes them.`;

const COMMANDS: Readonly<Record<string, Parts>> = {
  start: { api: true, runner: true },
  api: { api: true, runner: false },
  runner: { api: false, runner: true },
};

/** @returns the exit status */
async function serve(parts: Parts, threads: string | undefined): Promise<number> {
  const settings = loadSettings({ UNMASK_THREADS: threads });
  for (const name of unknownVariables()) {
    console.warn(`${name} is not a setting and is ignored`);
  }
  const stopRequest = stopSignal();
  const starting = new AbortController();
  // Exits the process even if stopping hangs.
  stopRequest.then((signal) => {
    console.log(`${signal}: stopping`);
    starting.abort();
    setTimeout(() => Deno.exit(1), settings.stopMs + 1_000);
  });
  let service: Service;
  try {
    service = await startService(settings, parts, undefined, starting.signal);
  } catch (error) {
    if (starting.signal.aborted) return 0;
    throw error;
  }
  console.log(service.url ? `listening on ${service.url}` : "runner ready");
  await stopRequest;
  return await service.stop() ? 0 : 1;
}

async function run([command, ...rest]: string[]): Promise<number> {
  if (command === "demo") {
    const { values } = parseArgs({ args: rest, options: DEMO_OPTIONS, strict: true });
    await runDemo(values);
    return 0;
  }
  if (command === "health") {
    await checkHealth(loadSettings());
    return 0;
  }
  if (command !== undefined && Object.hasOwn(COMMANDS, command)) {
    const { values: { threads } } = parseArgs({
      args: rest,
      options: { threads: { type: "string" } },
      strict: true,
    });
    return await serve(COMMANDS[command], threads);
  }
  if (command !== "help" && command !== "--help") {
    console.error(USAGE);
    return 2;
  }
  console.log(`${USAGE}\n\n${describeSettings()}`);
  return 0;
}

/** Formats an error: as one line if the user can fix it, otherwise with its stack. */
function format(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (isOptionError(error) || [SettingsError, DemoError, ApiError].some((type) => error instanceof type)) {
    return error.message;
  }
  return error.stack ?? error.message;
}

if (import.meta.main) {
  try {
    Deno.exit(await run(Deno.args));
  } catch (error) {
    console.error(format(error));
    Deno.exit(1);
  }
}
