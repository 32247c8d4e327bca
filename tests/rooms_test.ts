import { expect } from "expect";

/** Who may know whom (the house plan): room → the rooms it imports from, itself included. */
const MAY_IMPORT: Readonly<Record<string, readonly string[]>> = {
  model: ["model"],
  data: ["data", "model"],
  jobs: ["jobs", "data", "model"],
  api: ["api", "jobs", "data", "model"],
  cli: ["cli", "api", "jobs", "data", "model"],
};

/** Modules of these rooms may import nothing else from npm: they do no I/O. */
const PACKAGES: Readonly<Record<string, RegExp>> = { model: /^npm:\/?@tensorflow\/tfjs-/ };

interface Graph {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly { readonly code?: { readonly specifier?: string } }[];
  }[];
}

const root = new URL("../", import.meta.url).href;
const room = (specifier: string) =>
  specifier.startsWith(root) ? specifier.slice(root.length).split("/")[0].replace(/\.ts$/, "") : null;

async function imports(): Promise<{ from: string; to: string }[]> {
  const entries = ["main.ts", "jobs/runner/worker.ts", "api/inference/worker.ts"];
  const graphs = await Promise.all(entries.map(async (entry) => {
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", entry],
      cwd: new URL(root),
    })
      .output();
    return JSON.parse(new TextDecoder().decode(stdout)) as Graph;
  }));
  return graphs.flatMap(({ modules }) =>
    modules.flatMap(({ specifier, dependencies = [] }) =>
      dependencies.flatMap(({ code }) => code?.specifier ? [{ from: specifier, to: code.specifier }] : [])
    )
  ).filter(({ from }) => room(from) !== null);
}

Deno.test("rooms import only from the rooms they may know", async () => {
  const all = await imports();
  for (const name of Object.keys(MAY_IMPORT)) expect(all.some(({ from }) => room(from) === name)).toBe(true);
  const wrong = all.filter(({ from, to }) => {
    const own = room(from)!, other = room(to);
    if (own === "main") return false;
    return other === null
      ? to.startsWith("npm:") && PACKAGES[own]?.test(to) === false
      : !MAY_IMPORT[own].includes(other);
  });
  expect(wrong).toEqual([]);
});

/** Paths of the modules below a folder, relative to the repository. */
async function modulesOf(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(`${folder}/`, root))) {
    if (isDirectory) files.push(...await modulesOf(`${folder}/${name}`));
    else if (/\.(ts|js)$/.test(name)) files.push(`${folder}/${name}`);
  }
  return files;
}

/** Matches of a pattern in modules, as "PATH: MATCH". */
async function findIn(files: readonly string[], pattern: RegExp): Promise<string[]> {
  const found = await Promise.all(files.map(async (file) => {
    const match = pattern.exec(await Deno.readTextFile(new URL(file, root)));
    return match ? [`${file}: ${match[0]}`] : [];
  }));
  return found.flat();
}

Deno.test("the model reads no files, no network and no environment", async () => {
  const files = await modulesOf("model");
  expect(files.length).toBeGreaterThan(20);
  const io = /\bDeno\.|\bfetch\(|\bprocess\.|Math\.random|Date\.now/;
  expect(await findIn(files, io)).toEqual([]);
});

Deno.test("only cli/environment.ts reads or sets environment variables", async () => {
  const files = (await Promise.all(Object.keys(MAY_IMPORT).map(modulesOf))).flat();
  const product = ["main.ts", ...files].filter((file) => file !== "cli/environment.ts");
  expect(product.length).toBeGreaterThan(200);
  expect(await findIn(product, /\bDeno\.env\b|\bprocess\.env\b|\benv\b.*from "node:process"/)).toEqual([]);
});
