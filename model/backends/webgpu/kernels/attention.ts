import { type Program, program, type ProgramSource } from "../program.ts";

/** Widest head that the programs take: a thread holds four rows of it. */
export const MAX_HEAD = 256;

/** Threads of a workgroup, one a token. */
export const attentionThreads = (tokens: number): number => tokens <= 32 ? 32 : 64;

/** What the programs are written for. */
export interface AttentionForm {
  /** Width of a head. */
  readonly size: number;
  readonly threads: number;
  /** Whether weights are dropped. */
  readonly drops: boolean;
}

/**
 * Softmax attention of whole heads without a matrix of weights (Dao 2022, FlashAttention): a thread holds one token and
 * walks over the others, which its workgroup reads in tiles. Of the weights only the logarithm of each row's sum is
 * kept. Buffers lie as the operation's tensors do; numbers `tokens`, `heads`, `blocks` (of tokens) and `groups`.
 */
export interface AttentionPrograms {
  /** qkv (, factors) → value and the sums' logarithms. */
  readonly forward: Program;
  /** qkv, dy, value, sums (, factors) → the part of dqkv that is the queries', and dy · value of each row. */
  readonly queries: Program;
  /** qkv, dy, sums, along (, factors) → the rest of dqkv. */
  readonly keys: Program;
}

function programs({ size, threads, drops }: AttentionForm): AttentionPrograms {
  const wide = size % 4 === 0, vector = wide ? "vec4<f32>" as const : "f32" as const;
  const count = wide ? size / 4 : size;
  const tile = size <= 64 ? 16 : size <= 128 ? 8 : 4;
  const scale = 1 / Math.sqrt(size);
  const factors: Record<string, "f32"> = drops ? { factors: "f32" } : {};
  const shared = `
alias Vector = ${vector};
const COUNT = ${count}u;
const TILE = ${tile}u;
var<workgroup> firsts: array<Vector, ${tile * count}>;
var<workgroup> seconds: array<Vector, ${tile * count}>;
fn product(a: Vector, b: Vector) -> f32 { return ${wide ? "dot(a, b)" : "a * b"}; }`;
  const each = (body: string) => `for (var i = 0u; i < COUNT; i++) { ${body} }`;
  /** The place of a token's query, key (`1`) or value (`2`) in qkv, and of its row in the output. */
  const inQkv = (token: string, part: number) =>
    `((image * n.tokens + ${token}) * 3u + ${part}u) * width + head * COUNT`;
  const inRows = (token: string) => `(image * n.tokens + ${token}) * width + head * COUNT`;
  const start = `
  if (group >= n.groups) { return; }
  let pair = group / n.blocks;
  let image = pair / n.heads;
  let head = pair % n.heads;
  let width = n.heads * COUNT;
  let token = group % n.blocks * ${threads}u + thread;
  let there = token < n.tokens;
  let own = min(token, n.tokens - 1u);
  let line = pair * n.tokens + own;`;
  /** Reads a tile of two matrices; `load` knows a token `other` and an element `i`. */
  const eachTile = (load: string, body: string) => `
  for (var first = 0u; first < n.tokens; first += TILE) {
    workgroupBarrier();
    for (var at = thread; at < TILE * COUNT; at += ${threads}u) {
      let other = first + at / COUNT;
      let i = at % COUNT;
      if (other < n.tokens) { ${load} }
    }
    workgroupBarrier();
    let end = min(TILE, n.tokens - first);
    ${body}
  }`;
  const keysAndValues = `firsts[at] = qkv[${inQkv("other", 1)} + i]; seconds[at] = qkv[${
    inQkv("other", 2)
  } + i];`;
  const factor = (query: string, key: string) =>
    drops ? `factors[(pair * n.tokens + ${query}) * n.tokens + ${key}]` : "1.0";
  const written = (source: Omit<ProgramSource, "threads" | "numbers">) =>
    program({
      ...source,
      numbers: { tokens: "u32", heads: "u32", blocks: "u32", groups: "u32" },
      threads,
      shared: shared + (source.shared ?? ""),
      body: start + source.body,
    });

  const forward = written({
    name: "attention",
    writes: { value: vector, sums: "f32" },
    reads: { qkv: vector, ...factors },
    body: `
  var query: array<Vector, COUNT>;
  var mixed: array<Vector, COUNT>;
  ${each(`query[i] = qkv[${inQkv("own", 0)} + i] * ${scale};`)}
  var highest = -3.4e38;
  var total = 0.0;
  ${
      eachTile(
        keysAndValues,
        `
    var scores: array<f32, TILE>;
    var top = highest;
    for (var j = 0u; j < end; j++) {
      var score = 0.0;
      ${each("score += product(query[i], firsts[j * COUNT + i]);")}
      scores[j] = score;
      top = max(top, score);
    }
    let shrink = exp(highest - top);
    highest = top;
    total *= shrink;
    ${each("mixed[i] *= shrink;")}
    for (var j = 0u; j < end; j++) {
      let weight = exp(scores[j] - top);
      total += weight;
      let kept = weight * ${factor("own", "first + j")};
      ${each("mixed[i] += kept * seconds[j * COUNT + i];")}
    }`,
      )
    }
  if (there) {
    ${each(`value[${inRows("own")} + i] = mixed[i] / total;`)}
    sums[line] = highest + log(total);
  }`,
  });

  const queries = written({
    name: "gradient of attention's queries",
    writes: { dqkv: vector, along: "f32" },
    reads: { qkv: vector, dy: vector, value: vector, sums: "f32", ...factors },
    body: `
  var query: array<Vector, COUNT>;
  var slope: array<Vector, COUNT>;
  var result: array<Vector, COUNT>;
  var mean = 0.0;
  ${
      each(`query[i] = qkv[${inQkv("own", 0)} + i] * ${scale};
    slope[i] = dy[${inRows("own")} + i];
    mean += product(slope[i], value[${inRows("own")} + i]);`)
    }
  let sum = sums[line];
  ${
      eachTile(
        keysAndValues,
        `
    for (var j = 0u; j < end; j++) {
      var score = 0.0;
      var change = 0.0;
      ${
          each(
            "score += product(query[i], firsts[j * COUNT + i]); change += product(slope[i], seconds[j * COUNT + i]);",
          )
        }
      let dScore = exp(score - sum) * (change * ${factor("own", "first + j")} - mean);
      ${each("result[i] += dScore * firsts[j * COUNT + i];")}
    }`,
      )
    }
  if (there) {
    ${each(`dqkv[${inQkv("own", 0)} + i] = result[i] * ${scale};`)}
    along[line] = mean;
  }`,
  });

  const keys = written({
    name: "gradient of attention's keys and values",
    writes: { dqkv: vector },
    reads: { qkv: vector, dy: vector, sums: "f32", along: "f32", ...factors },
    body: `
  var key: array<Vector, COUNT>;
  var value: array<Vector, COUNT>;
  var dKey: array<Vector, COUNT>;
  var dValue: array<Vector, COUNT>;
  ${each(`key[i] = qkv[${inQkv("own", 1)} + i] * ${scale}; value[i] = qkv[${inQkv("own", 2)} + i];`)}
  ${
      eachTile(
        `firsts[at] = qkv[${inQkv("other", 0)} + i]; seconds[at] = dy[${inRows("other")} + i];`,
        `
    for (var j = 0u; j < end; j++) {
      var score = 0.0;
      var change = 0.0;
      ${
          each(
            "score += product(key[i], firsts[j * COUNT + i]); change += product(value[i], seconds[j * COUNT + i]);",
          )
        }
      let other = pair * n.tokens + first + j;
      let weight = exp(score - sums[other]);
      let kept = ${factor("(first + j)", "own")};
      let dScore = weight * (change * kept - along[other]);
      let passed = weight * kept;
      ${each("dKey[i] += dScore * firsts[j * COUNT + i]; dValue[i] += passed * seconds[j * COUNT + i];")}
    }`,
      )
    }
  if (there) {
    ${each(`dqkv[${inQkv("own", 1)} + i] = dKey[i] * ${scale}; dqkv[${inQkv("own", 2)} + i] = dValue[i];`)}
  }`,
  });
  return { forward, queries, keys };
}

const WRITTEN = new Map<string, AttentionPrograms>();

/** The programs of a form, written once. */
export function attentionPrograms(form: AttentionForm): AttentionPrograms {
  const key = JSON.stringify([form.size, form.threads, form.drops]);
  const known = WRITTEN.get(key) ?? programs(form);
  WRITTEN.set(key, known);
  return known;
}
