/**
 * The documentation lint of `deno task check`. Every exported function, class, method, type and constant needs a doc
 * comment, and the Markdown documents must be intact. (`deno doc --lint` cannot pass: it demands that we export the
 * types of npm packages, and a comment for every field of every record.)
 *
 * @module
 */

import { globSync } from "node:fs";
import { documentIssues, readDocuments } from "./documents.ts";

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

/** Returns the exports of these modules that have no doc comment, as `file: name`. */
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
      // A re-export is documented in its own module.
      const exported = declarations.filter(({ declarationKind, kind }) =>
        declarationKind === "export" && kind !== "reference"
      );
      if (exported.length > 0 && !exported.some(({ jsDoc }) => jsDoc?.doc || hasTags(jsDoc))) return [name];
      return exported.flatMap(({ def }) => def?.methods ?? [])
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
  const documents = readDocuments(), issues = documentIssues(documents);
  for (const line of missing) console.error(`${line} has no doc comment`);
  for (const line of issues) console.error(line);
  console.log(`${modules.length} modules, ${missing.length} exports without a doc comment`);
  console.log(`${documents.size} documents, ${issues.length} issues`);
  Deno.exit(missing.length + issues.length > 0 ? 1 : 0);
}
