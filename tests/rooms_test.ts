import { expect } from "expect";
import { circlesOf, importsOf, modulesIn, ROOT } from "./setup/moduleGraph.ts";

/** The rooms that each room imports from, itself included. */
const ROOMS: Readonly<Record<string, readonly string[]>> = {
  model: ["model"],
  data: ["data", "model"],
  jobs: ["jobs", "data", "model"],
  api: ["api", "jobs", "data", "model"],
  cli: ["cli", "api", "jobs", "data", "model"],
};

/** Rooms without I/O import only these npm packages. */
const PACKAGES: Readonly<Record<string, RegExp>> = { model: /^npm:\/?@tensorflow\/tfjs-/ };

/**
 * The wings and single modules of the same room that a wing imports from, itself excluded. The name of a room means
 * the modules at its root. A wing that is missing here may import every wing of its room.
 */
const WINGS: Readonly<Record<string, readonly string[]>> = {
  jobs: ["jobs/requests"],
  "jobs/requests": ["jobs"],
  "jobs/artifacts": ["jobs", "jobs/requests"],
  "jobs/process": [],
  "jobs/kinds": ["jobs", "jobs/requests", "jobs/artifacts"],
  "jobs/store": ["jobs", "jobs/requests", "jobs/artifacts"],
  model: ["model/ops"],
  "model/ops": ["model/masking.ts", "model/random.ts", "model/shape.ts"],
  "model/adapt": ["model"],
  "model/formats": ["model"],
  "model/training": ["model", "model/ops"],
  "model/prediction": ["model", "model/ops", "model/training/threads.ts"],
  data: [],
  "data/images": ["data"],
  "data/objects": ["data"],
  "data/safetensors": ["data", "data/objects"],
  "data/remote": ["data", "data/safetensors"],
  "data/datasets": ["data", "data/images", "data/objects"],
  "api/schemas": ["api/http", "api/openapi"],
  "api/http": ["api/openapi"],
  "api/body": ["api/http"],
  "api/middleware": ["api/http"],
  "api/server": ["api/http"],
  "cli/settings": [],
  "cli/service": ["cli/settings"],
};

const roomOf = (path: string) => path.split("/")[0];
const wingOf = (path: string) => path.split("/").slice(0, -1).slice(0, 2).join("/");

const product = (await Promise.all(Object.keys(ROOMS).map(modulesIn))).flat();
const isTypeScript = (path: string) =>
  path.endsWith(".ts") && !path.startsWith("model/backends/simd/assembly/");
const imports = await importsOf(["main.ts", ...product.filter(isTypeScript)]);

Deno.test("rooms import only from the rooms below them", () => {
  for (const room of Object.keys(ROOMS)) expect(imports.some(({ from }) => roomOf(from) === room)).toBe(true);
  const wrong = imports.filter(({ from, to }) => {
    const room = roomOf(from);
    if (from === "main.ts") return false;
    if (/^(node|npm|https?|jsr):/.test(to)) {
      return to.startsWith("npm:") && PACKAGES[room]?.test(to) === false;
    }
    return !ROOMS[room].includes(roomOf(to));
  });
  expect(wrong).toEqual([]);
});

Deno.test("the wings of a room import only from the wings below them", () => {
  for (const wing of Object.keys(WINGS)) expect(imports.some(({ from }) => wingOf(from) === wing)).toBe(true);
  const wrong = imports.filter(({ from, to }) => {
    const allowed = WINGS[wingOf(from)], target = wingOf(to);
    if (allowed === undefined || roomOf(from) !== roomOf(to) || wingOf(from) === target) return false;
    return !allowed.includes(target) && !allowed.includes(to);
  });
  expect(wrong).toEqual([]);
});

Deno.test("no modules import each other in a circle, imports of types included", () => {
  expect(imports.length).toBeGreaterThan(1000);
  expect(circlesOf(imports)).toEqual([]);
  const circle = [["a", "b"], ["b", "c"], ["c", "b"], ["c", "d"]].map(([from, to]) => ({ from, to }));
  expect(circlesOf(circle)).toEqual([["b", "c"]]);
});

/** Returns the modules in which a pattern occurs, as "PATH: MATCH". */
async function findIn(modules: readonly string[], pattern: RegExp): Promise<string[]> {
  const found = await Promise.all(modules.map(async (path) => {
    const match = pattern.exec(await Deno.readTextFile(new URL(path, ROOT)));
    return match ? [`${path}: ${match[0]}`] : [];
  }));
  return found.flat();
}

Deno.test("the model reads no files, no network and no environment", async () => {
  const modules = product.filter((path) => roomOf(path) === "model");
  expect(modules.length).toBeGreaterThan(20);
  const io = /\bDeno\.|\bfetch\(|\bprocess\.|Math\.random|Date\.now/;
  expect(await findIn(modules, io)).toEqual([]);
});

Deno.test("only cli/settings/environment.ts reads or sets environment variables", async () => {
  const modules = ["main.ts", ...product].filter((path) => path !== "cli/settings/environment.ts");
  expect(modules.length).toBeGreaterThan(200);
  const access = /\bDeno\.env\b|\bprocess\.env\b|\benv\b.*from "node:process"/;
  expect(await findIn(modules, access)).toEqual([]);
});
