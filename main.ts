/**
 * The command line: `start` (API and a runner), `api`, `runner`, `health`, `demo`.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { ApiError } from "./cli/client.ts";
import { DEMO_OPTIONS, DemoError, runDemo } from "./cli/demo.ts";
import { checkHealth } from "./cli/health.ts";
import { type Parts, type Service, startService } from "./cli/service.ts";
import { loadSettings, unknownVariables } from "./cli/environment.ts";
import { SettingsError } from "./cli/settings.ts";
import { untilAsked } from "./cli/signals.ts";

const USAGE = `Usage: deno task COMMAND

  start    the API and one runner in one process
  api      the API alone
  runner   a runner alone, on the same KV and object storage
  health   whether database and object storage answer
  demo     a training job from the first request to the images; options:
             --dataset digits|mnist|fashion-mnist|ds_…   --mnist FOLDER   --size N
             --epochs N   --finetune-epochs N   --finetune-steps N   --batch-size N
             --seed N   --out FOLDER

  start and runner take --threads N, the threads of a training (every core by default).

Settings come from the environment; the README lists them.`;

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
  const asked = untilAsked();
  const starting = new AbortController();
  // Exits the process even if stopping hangs.
  asked.then((signal) => {
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
  await asked;
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
  console.error(USAGE);
  return command === "help" || command === "--help" ? 0 : 2;
}

/** Errors that are the user's to mend are told in one line; others with all they know. */
function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const isOption = "code" in error && String(error.code).startsWith("ERR_PARSE_ARGS");
  if (isOption || [SettingsError, DemoError, ApiError].some((kind) => error instanceof kind)) {
    return error.message;
  }
  return error.stack ?? error.message;
}

if (import.meta.main) {
  try {
    Deno.exit(await run(Deno.args));
  } catch (error) {
    console.error(explain(error));
    Deno.exit(1);
  }
}
