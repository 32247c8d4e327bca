/**
 * The only module that reads or sets environment variables of this process.
 *
 * Three libraries read variables that cannot be passed to them in another way: TensorFlow's native library, when it
 * loads, Deno's KV client, which sends requests through a proxy even on loopback, and glibc in child processes. Their
 * variables are set here at process start, before any worker or child runs. Values that the user has set are kept;
 * NO_PROXY is extended.
 *
 * @module
 */
import { isRemoteKv } from "../../jobs/store/kv/open.ts";
import { readSettings, type Settings, unknownSettings } from "./settings.ts";
import type { SettingName } from "./table.ts";

/**
 * Reads the settings from the environment and sets the variables that libraries read.
 *
 * @param overrides settings from the command line, which replace those of the environment
 * @throws {SettingsError} naming the variable
 */
export function loadSettings(overrides: Partial<Record<SettingName, string>> = {}): Settings {
  const settings = readSettings((name) => overrides[name as SettingName] || Deno.env.get(name));
  setTensorflowVariables(settings.compute.threads);
  // With one arena, glibc takes 10 MiB less in a child, whose threads rarely allocate.
  setVariables({ MALLOC_ARENA_MAX: "1" });
  if (isRemoteKv(settings.kv)) exemptLoopbackFromProxy();
  return settings;
}

/** Returns the names of variables that begin with `UNMASK_` but are not settings, such as a misspelt `UNMASK_SLOT`. */
export function unknownVariables(): string[] {
  return unknownSettings(Object.keys(Deno.env.toObject()));
}

/**
 * Sets the variables of TensorFlow's native library: no informational messages, GPU memory allocated as needed, and
 * the number of threads of an operation.
 */
export function setTensorflowVariables(threads: number): void {
  setVariables({
    TF_CPP_MIN_LOG_LEVEL: "2",
    TF_FORCE_GPU_ALLOW_GROWTH: "true",
    TF_NUM_INTRAOP_THREADS: String(threads),
  });
}

/** Sets variables that the user has not set. */
function setVariables(variables: Readonly<Record<string, string>>): void {
  for (const [name, value] of Object.entries(variables)) {
    if (!Deno.env.get(name)) Deno.env.set(name, value);
  }
}

/** Excludes 127.0.0.1, where the gateway to a remote database listens, from the proxies of the environment. */
export function exemptLoopbackFromProxy(): void {
  const hasProxy = ["HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"].some((name) => Deno.env.get(name));
  if (!hasProxy) return;
  const exempt = Deno.env.get("NO_PROXY") ?? Deno.env.get("no_proxy") ?? "";
  if (exempt.split(",").some((host) => ["*", "127.0.0.1"].includes(host.trim()))) return;
  const extended = exempt === "" ? "127.0.0.1" : `${exempt},127.0.0.1`;
  Deno.env.set("NO_PROXY", extended);
  Deno.env.set("no_proxy", extended);
}
