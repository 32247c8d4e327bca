/**
 * `deno task bench COMMAND`: measures the engine and the service on this machine.
 *
 * @module
 */
import { parseArgs } from "node:util";
import { VectorsError } from "../../jobs/process/vectors.ts";
import { isOptionError } from "../optionError.ts";
import { SettingsError } from "../settings/settings.ts";
import { answers } from "./answers.ts";
import { archive } from "./archive.ts";
import { infer, kernels, profile, train } from "./engineCommands.ts";
import { fields } from "./fields.ts";
import { gpu } from "./gpu.ts";
import { growth } from "./growth.ts";
import { BenchError, type BenchOptions, OPTIONS } from "./options.ts";
import { peer } from "./peer/peer.ts";
import { PythonError } from "./peer/python.ts";
import { probe } from "./probe.ts";
import { service } from "./service.ts";
import { runWithVectors } from "./vectors.ts";

/** A benchmark. */
interface Command {
  /** Completes "Measures …". */
  readonly measures: string;
  readonly options: string;
  /** Whether it computes in this process, with the vectors of `--vectors`. */
  readonly computes?: true;
  /** Returns the figures by name. */
  run(options: BenchOptions): Promise<object>;
}

const VECTORS = " --vectors auto|128|256";

const COMMANDS: Readonly<Record<string, Command>> = {
  train: {
    measures: "training steps",
    options: "--config MODEL --backend NAME --threads N --batch N --steps N",
    run: train,
    computes: true,
  },
  infer: {
    measures: "reconstruction, classification and embedding",
    options: "--config MODEL --backend NAME --images N --steps N",
    run: infer,
    computes: true,
  },
  kernels: {
    measures: "matrix products against the peak of a core",
    options: "--config MODEL",
    run: kernels,
    computes: true,
  },
  profile: {
    measures: "the kernels of a training step",
    options: "--config MODEL --batch N --steps N",
    run: profile,
    computes: true,
  },
  fields: {
    measures: "training steps with each field of published models, alternating with plain ones",
    options: "--config MODEL --backend NAME --threads N --batch N --steps N",
    run: fields,
    computes: true,
  },
  peer: {
    measures: "training steps, alternating with PyTorch",
    options: "--config MODEL --threads N --batch N --steps N --rounds N --python PATH --modes LIST" +
      VECTORS,
    run: peer,
  },
  gpu: {
    measures: "dispatches, bytes and floating-point operations of a training step on a GPU, without one",
    options: "--config MODEL --batch N",
    run: gpu,
  },
  service: {
    measures: "a job, the start of a runner and HTTP responses",
    options: "--threads N --batch N --steps N --epochs N --mnist FOLDER",
    run: service,
  },
  probe: {
    measures: "a linear probe over HTTP, in passes over the images",
    options: "--threads N --batch N --epochs N --mnist FOLDER",
    run: probe,
  },
  answers: {
    measures: "reconstructions over HTTP, one at a time and 500 at once",
    options: "--threads N",
    run: answers,
  },
  growth: {
    measures: "responses with many jobs, and many event streams",
    options: "--jobs N --listeners N --seconds N --threads N --kv URL",
    run: growth,
  },
  archive: {
    measures: "the upload of an archive of small images",
    options: "--images N",
    run: archive,
  },
};

const USAGE = `Usage: deno task bench COMMAND [OPTIONS] [--json]

${
  Object.entries(COMMANDS).map(([name, { measures, options, computes }]) =>
    `  ${name.padEnd(9)}${measures}\n           ${options}${computes ? VECTORS : ""}`
  ).join("\n")
}`;

/** Formats figures as lines. Nested figures are JSON. */
function format(figures: object): string {
  return Object.entries(figures).flatMap(([name, value]) =>
    Array.isArray(value)
      ? [name, ...value.map((row) => `  ${JSON.stringify(row)}`)]
      : `${name}: ${typeof value === "object" ? JSON.stringify(value) : value}`
  ).join("\n");
}

function isUserError(error: unknown): error is Error {
  return isOptionError(error) ||
    [BenchError, PythonError, SettingsError, VectorsError].some((type) => error instanceof type);
}

try {
  const { values, positionals } = parseArgs({ allowPositionals: true, options: OPTIONS });
  const [name = ""] = positionals;
  if (!Object.hasOwn(COMMANDS, name)) {
    console.error(USAGE);
    Deno.exit(2);
  }
  if (COMMANDS[name].computes && values["vector-bits"] === undefined) {
    const code = await runWithVectors(Deno.args, values.vectors);
    if (code !== null) Deno.exit(code);
  }
  const figures = await COMMANDS[name].run(values);
  console.log(values.json ? JSON.stringify(figures) : format(figures));
  Deno.exit(0);
} catch (error) {
  console.error(isUserError(error) ? error.message : error);
  Deno.exit(1);
}
