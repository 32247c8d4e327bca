/**
 * The import graph of the product, for tests of its structure.
 *
 * @module
 */

/** An import of one module by another. */
export interface Import {
  /** Path relative to the repository. */
  readonly from: string;
  /** Path relative to the repository, or a specifier such as `npm:zod@4`. */
  readonly to: string;
}

interface DenoInfo {
  readonly modules: readonly {
    readonly specifier: string;
    readonly dependencies?: readonly {
      readonly specifier: string;
      /** Present for an import of values. */
      readonly code?: { readonly specifier?: string };
      /** Present for an import of types. */
      readonly type?: { readonly specifier?: string };
      readonly isDynamic?: boolean;
    }[];
  }[];
}

/** URL of the repository, with a slash at the end. */
export const ROOT = new URL("../../", import.meta.url).href;

const pathOf = (specifier: string) => specifier.startsWith(ROOT) ? specifier.slice(ROOT.length) : specifier;

/** Returns the paths of all modules below a folder, relative to the repository. */
export async function modulesIn(folder: string): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(new URL(folder, ROOT))) {
    const path = `${folder}/${name}`;
    if (isDirectory) files.push(...await modulesIn(path));
    else if (/\.(ts|js)$/.test(name)) files.push(path);
  }
  return files;
}

/** Returns every import of the modules, imports of types included. */
export async function importsOf(modules: readonly string[]): Promise<Import[]> {
  const entry = await Deno.makeTempFile({ suffix: ".ts" });
  try {
    await Deno.writeTextFile(entry, modules.map((path) => `import "${ROOT}${path}";\n`).join(""));
    const { stdout } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "--config", "deno.json", entry],
      cwd: new URL(ROOT),
    }).output();
    const { modules: found }: DenoInfo = JSON.parse(new TextDecoder().decode(stdout));
    const imports = found.filter(({ specifier }) => specifier.startsWith(ROOT)).map(
      async ({ specifier, dependencies = [] }) => {
        const text = await Deno.readTextFile(new URL(specifier));
        return dependencies
          // Deno lists every file that a computed path could match as a dynamic import.
          .filter((dependency) => !dependency.isDynamic || text.includes(`"${dependency.specifier}"`))
          .flatMap(({ code, type }) => [code?.specifier, type?.specifier])
          .filter((target) => target !== undefined)
          .map((target) => ({ from: pathOf(specifier), to: pathOf(target) }));
      },
    );
    return (await Promise.all(imports)).flat();
  } finally {
    await Deno.remove(entry);
  }
}

/** Returns the import circles: the strongly connected components of more than one module (Tarjan 1972). */
export function circlesOf(imports: readonly Import[]): string[][] {
  const targets = Map.groupBy(imports, ({ from }) => from);
  const indices = new Map<string, number>(), lowLinks = new Map<string, number>();
  const stack: string[] = [], circles: string[][] = [];
  const visit = (module: string) => {
    indices.set(module, indices.size);
    lowLinks.set(module, indices.get(module)!);
    stack.push(module);
    for (const { to } of targets.get(module) ?? []) {
      if (!indices.has(to)) visit(to);
      if (stack.includes(to)) lowLinks.set(module, Math.min(lowLinks.get(module)!, lowLinks.get(to)!));
    }
    if (lowLinks.get(module) !== indices.get(module)) return;
    const component = stack.splice(stack.indexOf(module));
    if (component.length > 1) circles.push(component.sort());
  };
  for (const module of targets.keys()) if (!indices.has(module)) visit(module);
  return circles;
}
