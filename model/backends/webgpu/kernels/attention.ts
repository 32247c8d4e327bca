import { type Call, type Program, program, type ProgramSource } from "../program.ts";

/** Maximum width of a head. A thread keeps up to four vectors of this width in registers. */
export const MAX_HEAD_DIM = 256;

/** Number of threads of a workgroup; each computes one token. */
export const attentionThreads = (tokens: number): number => tokens <= 32 ? 32 : 64;

/** Parameters of the generated programs. */
interface AttentionOptions {
  readonly headDim: number;
  readonly threads: number;
  readonly hasDropout: boolean;
}

/**
 * Attention without a matrix of weights (FlashAttention, Dao et al. 2022). A thread keeps one token and iterates over
 * the others in tiles that its workgroup loads. Of the softmax, only the logarithm of each row's sum is stored. The
 * layouts are those of the operation's tensors. Uniforms: `tokens`, `heads`, `blocks` (of tokens) and `groups`.
 */
interface AttentionPrograms {
  /** qkv (, factors) → value, logSumExps. */
  readonly forward: Program;
  /** qkv, dy, value, logSumExps (, factors) → the queries' part of dqkv, and deltas: dy · value of each row. */
  readonly queries: Program;
  /** qkv, dy, logSumExps, deltas (, factors) → the keys' and the values' part of dqkv. */
  readonly keys: Program;
  /** qkv, dy, value, logSumExps (, factors) → dqkv, where a workgroup computes all tokens of a head. */
  readonly whole: Program;
}

function generatePrograms({ headDim, threads, hasDropout }: AttentionOptions): AttentionPrograms {
  const isVectorized = headDim % 4 === 0, vector = isVectorized ? "vec4<f32>" as const : "f32" as const;
  const count = isVectorized ? headDim / 4 : headDim;
  const tile = headDim <= 64 ? 16 : headDim <= 128 ? 8 : 4;
  const scale = 1 / Math.sqrt(headDim);
  const factors: Record<string, "f32"> = hasDropout ? { factors: "f32" } : {};
  const shared = `
alias Vector = ${vector};
const COUNT = ${count}u;
const TILE = ${tile}u;
var<workgroup> tileA: array<Vector, ${tile * count}>;
var<workgroup> tileB: array<Vector, ${tile * count}>;
fn product(a: Vector, b: Vector) -> f32 { return ${isVectorized ? "dot(a, b)" : "a * b"}; }`;
  const each = (body: string) => `for (var i = 0u; i < COUNT; i++) { ${body} }`;
  // Offset in qkv of the query (part 0), key (1) or value (2) of a token, and of its row in the output.
  const qkvOffset = (token: string, part: number) =>
    `((image * u.tokens + ${token}) * 3u + ${part}u) * width + head * COUNT`;
  const rowOffset = (token: string) => `(image * u.tokens + ${token}) * width + head * COUNT`;
  const prologue = `
  if (group >= u.groups) { return; }
  let pair = group / u.blocks;
  let image = pair / u.heads;
  let head = pair % u.heads;
  let width = u.heads * COUNT;
  let position = group % u.blocks * ${threads}u + thread;
  let inRange = position < u.tokens;
  let token = min(position, u.tokens - 1u);
  let row = pair * u.tokens + token;`;
  // Loads a tile of two matrices; `load` uses the token `other`, the element `i` and the index `slot` in the tile.
  const eachTile = (load: string, body: string) => `
  for (var first = 0u; first < u.tokens; first += TILE) {
    workgroupBarrier();
    for (var slot = thread; slot < TILE * COUNT; slot += ${threads}u) {
      let other = first + slot / COUNT;
      let i = slot % COUNT;
      if (other < u.tokens) { ${load} }
    }
    workgroupBarrier();
    let end = min(TILE, u.tokens - first);
    ${body}
  }`;
  const keysAndValues = `tileA[slot] = qkv[${qkvOffset("other", 1)} + i]; tileB[slot] = qkv[${
    qkvOffset("other", 2)
  } + i];`;
  const factor = (query: string, key: string) =>
    hasDropout ? `factors[(pair * u.tokens + ${query}) * u.tokens + ${key}]` : "1.0";
  const attentionProgram = (source: Omit<ProgramSource, "threads" | "uniforms">) =>
    program({
      ...source,
      uniforms: { tokens: "u32", heads: "u32", blocks: "u32", groups: "u32" },
      threads,
      shared: shared + (source.shared ?? ""),
      body: prologue + source.body,
    });

  const forward = attentionProgram({
    name: "attention",
    writes: { value: vector, logSumExps: "f32" },
    reads: { qkv: vector, ...factors },
    body: `
  var query: array<Vector, COUNT>;
  var result: array<Vector, COUNT>;
  ${each(`query[i] = qkv[${qkvOffset("token", 0)} + i] * ${scale};`)}
  var runningMax = -3.4e38;
  var runningSum = 0.0;
  ${
      eachTile(
        keysAndValues,
        `
    var scores: array<f32, TILE>;
    var tileMax = runningMax;
    for (var j = 0u; j < end; j++) {
      var score = 0.0;
      ${each("score += product(query[i], tileA[j * COUNT + i]);")}
      scores[j] = score;
      tileMax = max(tileMax, score);
    }
    let rescale = exp(runningMax - tileMax);
    runningMax = tileMax;
    runningSum *= rescale;
    ${each("result[i] *= rescale;")}
    for (var j = 0u; j < end; j++) {
      let weight = exp(scores[j] - tileMax);
      runningSum += weight;
      let droppedWeight = weight * ${factor("token", "first + j")};
      ${each("result[i] += droppedWeight * tileB[j * COUNT + i];")}
    }`,
      )
    }
  if (inRange) {
    ${each(`value[${rowOffset("token")} + i] = result[i] / runningSum;`)}
    logSumExps[row] = runningMax + log(runningSum);
  }`,
  });

  const queriesBody = (storeDelta: string) => `
  var query: array<Vector, COUNT>;
  var grad: array<Vector, COUNT>;
  var result: array<Vector, COUNT>;
  var delta = 0.0;
  ${
    each(`query[i] = qkv[${qkvOffset("token", 0)} + i] * ${scale};
    grad[i] = dy[${rowOffset("token")} + i];
    delta += product(grad[i], value[${rowOffset("token")} + i]);`)
  }
  let logSumExp = logSumExps[row];
  ${
    eachTile(
      keysAndValues,
      `
    for (var j = 0u; j < end; j++) {
      var score = 0.0;
      var dWeight = 0.0;
      ${
        each(
          "score += product(query[i], tileA[j * COUNT + i]); dWeight += product(grad[i], tileB[j * COUNT + i]);",
        )
      }
      let dScore = exp(score - logSumExp) * (dWeight * ${factor("token", "first + j")} - delta);
      ${each("result[i] += dScore * tileA[j * COUNT + i];")}
    }`,
    )
  }
  if (inRange) {
    ${each(`dqkv[${qkvOffset("token", 0)} + i] = result[i] * ${scale};`)}
    ${storeDelta}
  }`;

  // The delta and the logarithm of the sum of the query `first + j`.
  const keysBody = (delta: string, logSumExp: string) => `
  var key: array<Vector, COUNT>;
  var value: array<Vector, COUNT>;
  var dKey: array<Vector, COUNT>;
  var dValue: array<Vector, COUNT>;
  ${
    each(
      `key[i] = qkv[${qkvOffset("token", 1)} + i] * ${scale}; value[i] = qkv[${qkvOffset("token", 2)} + i];`,
    )
  }
  ${
    eachTile(
      `tileA[slot] = qkv[${qkvOffset("other", 0)} + i]; tileB[slot] = dy[${rowOffset("other")} + i];`,
      `
    for (var j = 0u; j < end; j++) {
      var score = 0.0;
      var dWeight = 0.0;
      ${
        each(
          "score += product(key[i], tileA[j * COUNT + i]); dWeight += product(value[i], tileB[j * COUNT + i]);",
        )
      }
      let weight = exp(score - ${logSumExp});
      let factor = ${factor("(first + j)", "token")};
      let dScore = weight * (dWeight * factor - ${delta});
      let droppedWeight = weight * factor;
      ${each("dKey[i] += dScore * tileA[j * COUNT + i]; dValue[i] += droppedWeight * tileB[j * COUNT + i];")}
    }`,
    )
  }
  if (inRange) {
    ${
    each(
      `dqkv[${qkvOffset("token", 1)} + i] = dKey[i] * ${scale}; dqkv[${
        qkvOffset("token", 2)
      } + i] = dValue[i];`,
    )
  }
  }`;

  const queries = attentionProgram({
    name: "gradient of attention's queries",
    writes: { dqkv: vector, deltas: "f32" },
    reads: { qkv: vector, dy: vector, value: vector, logSumExps: "f32", ...factors },
    body: queriesBody("deltas[row] = delta;"),
  });
  const keys = attentionProgram({
    name: "gradient of attention's keys and values",
    writes: { dqkv: vector },
    reads: { qkv: vector, dy: vector, logSumExps: "f32", deltas: "f32", ...factors },
    body: keysBody("deltas[pair * u.tokens + first + j]", "logSumExps[pair * u.tokens + first + j]"),
  });
  const whole = attentionProgram({
    name: "gradient of attention",
    writes: { dqkv: vector },
    reads: { qkv: vector, dy: vector, value: vector, logSumExps: "f32", ...factors },
    shared: `
var<workgroup> rowDeltas: array<f32, ${threads}>;
var<workgroup> rowLogSumExps: array<f32, ${threads}>;`,
    body: `
  {${queriesBody("rowDeltas[thread] = delta; rowLogSumExps[thread] = logSumExp;")}
  }
  {${keysBody("rowDeltas[first + j]", "rowLogSumExps[first + j]")}
  }`,
  });
  return { forward, queries, keys, whole };
}

const cache = new Map<string, AttentionPrograms>();

/** Returns the programs with these options. They are generated once. */
function programsOf(options: AttentionOptions): AttentionPrograms {
  const key = JSON.stringify([options.headDim, options.threads, options.hasDropout]);
  const cached = cache.get(key) ?? generatePrograms(options);
  cache.set(key, cached);
  return cached;
}

/** The sizes of an attention. */
export interface AttentionShape {
  readonly batch: number;
  readonly tokens: number;
  /** Width of all heads together. */
  readonly dim: number;
  readonly heads: number;
  readonly hasDropout: boolean;
}

/** The calls of an attention, with the buffers of {@linkcode AttentionPrograms}. */
export interface AttentionCalls {
  /** qkv (, factors) → value, logSumExps. */
  readonly forward: Call;
  /** One call with the buffers of `whole`, or two with those of `queries` and `keys`. */
  readonly gradient: readonly [whole: Call] | readonly [queries: Call, keys: Call];
}

/** Returns the calls of an attention. The width of a head is at most {@linkcode MAX_HEAD_DIM}. */
export function attentionCalls({ batch, tokens, dim, heads, hasDropout }: AttentionShape): AttentionCalls {
  const threads = attentionThreads(tokens),
    blocks = Math.ceil(tokens / threads),
    groups = batch * heads * blocks;
  const programs = programsOf({ headDim: dim / heads, threads, hasDropout });
  const call = (program: Program, products: number): Call => ({
    program,
    uniforms: [tokens, heads, blocks, groups],
    groups,
    flops: 2 * products * batch * tokens ** 2 * dim,
  });
  return {
    forward: call(programs.forward, 2),
    gradient: blocks === 1 ? [call(programs.whole, 7)] : [call(programs.queries, 3), call(programs.keys, 4)],
  };
}
