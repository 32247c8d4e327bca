/**
 * Unroll-and-jam, a loop transformation that AssemblyScript does not have: several iterations of an outer loop run
 * together, statement by statement, so that independent chains of sums overlap.
 *
 * @module
 */
import { lines, range } from "./text.ts";

const PRAGMA =
  /^ *\/\/ #pragma unroll_and_jam\((\d+)\)\n *for \(let (\w+): i32 = 0; \2 < (\w+); \2\+\+\) \{/m;

/**
 * Transforms every loop `for (let i: i32 = 0; i < n; i++)` that follows a line `// #pragma unroll_and_jam(COUNT)`. The
 * result runs COUNT iterations together, and the last ones singly.
 *
 * A statement that uses a variable of the iteration is repeated COUNT times; every other statement, such as the head
 * of an inner loop, is shared. The variables of the iteration are its counter, those that its body declares outside of
 * inner loops, and those that an inner loop computes from them. A bare block is repeated as a whole.
 */
export function unrollAndJam(source: string): string {
  let match: RegExpExecArray | null;
  while ((match = PRAGMA.exec(source))) {
    const [head, count, counter, end] = match, start = match.index + head.length;
    const length = statementLength(source.slice(start - 1)) - 2;
    const body = source.slice(start, start + length), copies = Number(count);
    const jammed = jam(statements(body), new Set([counter]), copies, true);
    const loops = lines(
      "{",
      `let ${counter}: i32 = 0;`,
      `for (; ${counter} + ${copies} <= ${end}; ${counter} += ${copies}) {`,
      range(copies).map((i) => `const ${counter}_${i} = ${counter} + ${i};`),
      jammed,
      "}",
      `for (; ${counter} < ${end}; ${counter}++) {`,
      body,
      "}",
      "}",
    );
    source = source.slice(0, match.index) + loops + source.slice(start + length + 1);
  }
  return source;
}

/** Repeats the statements that use a variable of the iteration. @param variables is extended by declarations */
function jam(body: string[], variables: Set<string>, copies: number, outermost: boolean): string {
  return lines(body.map((statement) => {
    const loop = /^for \([^{]*\) \{([^]*)\}$/.exec(statement);
    if (loop) {
      const inner = jam(statements(loop[1]), new Set(variables), copies, false);
      return lines(statement.slice(0, statement.indexOf("{") + 1), inner, "}");
    }
    const uses = (name: string) => new RegExp(`(?<!\\.)\\b${name}\\b`).test(statement);
    if (!outermost && ![...variables].some(uses)) return statement;
    for (const name of declaredNames(statement)) variables.add(name);
    const names = new RegExp(`(?<!\\.)\\b(${[...variables].join("|")})\\b`, "g");
    return lines(range(copies).map((i) => statement.replace(names, `$1_${i}`)));
  }));
}

/** Names that a declaration introduces. */
function declaredNames(statement: string): string[] {
  if (!/^(const|let) /.test(statement)) return [];
  return [...statement.matchAll(/(?:^(?:const|let)|,) (\w+)(?:: \w+)? = /g)].map(([, name]) => name);
}

/** The statements of a block, without comments. */
function statements(block: string): string[] {
  let rest = block.replace(/\/\/.*$/gm, "").trim();
  const found: string[] = [];
  while (rest) {
    const length = statementLength(rest);
    found.push(rest.slice(0, length));
    rest = rest.slice(length).trim();
  }
  return found;
}

/** Length of the first statement: it ends at a semicolon or a closing brace outside of all brackets. */
function statementLength(text: string): number {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    if ("({".includes(text[i])) depth++;
    if (")}".includes(text[i])) depth--;
    if (depth === 0 && ";}".includes(text[i])) return i + 1;
  }
  throw new SyntaxError(`A statement does not end: ${text.slice(0, 80)}`);
}
