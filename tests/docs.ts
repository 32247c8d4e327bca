/**
 * The documentation lint of `deno task check`: every exported function, class, method, type and constant says what it
 * is. (`deno doc --lint` itself cannot pass here: it wants npm packages' types to be exported by us, and a sentence
 * for every field of every record.)
 *
 * @module
 */

import { globSync } from "node:fs";

interface Declaration {
  readonly kind: string;
  readonly declarationKind?: string;
  readonly jsDoc?: { readonly doc?: string };
  readonly def?: { readonly methods?: readonly Member[] };
}

interface Member {
  readonly name: string;
  readonly accessibility?: string | null;
  readonly isOverride?: boolean;
  readonly jsDoc?: { readonly doc?: string };
}

interface Documentation {
  readonly nodes: Readonly<
    Record<string, {
      readonly module_doc?: { readonly doc?: string };
      readonly symbols?: readonly { readonly name: string; readonly declarations: readonly Declaration[] }[];
    }>
  >;
}

/** What has no documentation in these modules, as `file: name`. */
export async function undocumented(files: readonly string[]): Promise<string[]> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--json", ...files],
    stdout: "piped",
    stderr: "piped",
  }).output();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  const { nodes } = JSON.parse(new TextDecoder().decode(stdout)) as Documentation;
  return Object.entries(nodes).flatMap(([url, module]) => {
    const file = url.replace(/^.*\/(?=(api|cli|data|jobs|model)\/|main\.ts)/, "");
    const missing = (module.symbols ?? []).flatMap(({ name, declarations }) => {
      // What is exported from another module has its documentation there.
      const own = declarations.filter(({ declarationKind, kind }) =>
        declarationKind === "export" && kind !== "reference"
      );
      if (own.length > 0 && !own.some(({ jsDoc }) => jsDoc?.doc || hasTags(jsDoc))) return [name];
      return own.flatMap(({ def }) => def?.methods ?? [])
        .filter((method) => !method.isOverride && method.accessibility !== "private")
        .filter(({ name, jsDoc }) => !name.startsWith("[") && !jsDoc?.doc && !hasTags(jsDoc))
        .map((method) => `${name}.${method.name}`);
    });
    return missing.map((name) => `${file}: ${name}`);
  });
}

function hasTags(jsDoc: object | undefined): boolean {
  return jsDoc !== undefined && "tags" in jsDoc;
}

if (import.meta.main) {
  const modules = globSync(["main.ts", "{api,cli,data,jobs,model}/**/*.ts"], {
    // AssemblyScript.
    exclude: ["model/backends/simd/assembly/**"],
  });
  const missing = await undocumented(modules);
  for (const line of missing) console.error(`${line} has no documentation`);
  console.log(`${modules.length} modules, ${missing.length} exports without documentation`);
  Deno.exit(missing.length > 0 ? 1 : 0);
}
