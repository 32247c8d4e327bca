/**
 * Multi-head attention in the compact layout: 8 heads are computed together, each in its lane. The queries are divided
 * into panels. The scores of a panel, [tokens, rows], stay in the cache between the operations.
 */
import { COMPACT_KC, COMPACT_ROWS, LANES } from "./blockSizes";
import { ELEMENT, LANE_ENTRY, packColumns, packPanel, packRows, unpack } from "./compact";
import { outerProduct, panelProduct } from "./compactKernel";
import { multiply } from "./elementwise";
import { multiplyColumns, softmax, softmaxGradient } from "./softmax";

/** Bytes of the tables of lanes: for qkv, for the output and for the dropout factors. */
const TABLE: usize = LANES * LANE_ENTRY;

/** Writes the tables of lanes for the heads from `first` to `end - 1`. The lanes after the last head repeat it. */
function writeTables(tables: usize, first: i32, end: i32, tokens: i32, heads: i32, size: i32): void {
  const dim = <usize> (heads * size) * 4;
  for (let lane: i32 = 0; lane < LANES; lane++) {
    const index = min(first + lane, end - 1), image = <usize> (index / heads * tokens) * dim;
    const column = <usize> (index % heads * size) * 4;
    store<u64>(tables, 3 * image + column);
    store<u64>(tables + TABLE, image + column);
    store<u64>(tables + 2 * TABLE, <usize> index * <usize> (tokens * tokens) * 4);
    tables += LANE_ENTRY;
  }
}

/** First row of a panel. The rows are divided as evenly as possible. */
function panelStart(panel: i32, panels: i32, rows: i32): i32 {
  return panel * rows / panels;
}

/** out[n, rows] = x[rows, k] · y[k, n] for a panel x, stored by columns, and y in panels of two columns. */
function multiplyPanel(rows: i32, n: i32, k: i32, x: usize, y: usize, out: usize): void {
  const panelStride = <usize> (2 * k) * ELEMENT, last = y + <usize> ((n - 1) * k) * ELEMENT;
  for (let p: i32 = 0; p < k; p += COMPACT_KC) {
    const steps = min(COMPACT_KC, k - p), offset = <usize> p * ELEMENT, xp = x + <usize> rows * offset;
    panelProduct(rows, n, steps, xp, y + 2 * offset, last + offset, panelStride, out, !p);
  }
}

/** out[m, n] += x[m, rows] · y[n, rows]ᵀ for two panels, stored by columns. */
function addOuterProduct(rows: i32, m: i32, n: i32, x: usize, y: usize, out: usize): void {
  const panels = (m + COMPACT_ROWS - 1) / COMPACT_ROWS, ldc = <usize> n * ELEMENT;
  for (let panel: i32 = 0; panel < panels; panel++) {
    const i = panelStart(panel, panels, m), height = panelStart(panel + 1, panels, m) - i;
    outerProduct(height, n, rows, x + <usize> (i * rows) * ELEMENT, y, out + <usize> i * ldc, ldc);
  }
}

/**
 * Computes `count` heads of batch · heads from the head `first` on: out[batch, tokens, heads · size] and
 * weights[groups, tokens · (tokens + 1), LANES] from qkv[batch, tokens, 3 · heads · size]. A group has the weights of LANES
 * heads, by panels of queries; the first one has those of `first`.
 * factors[batch · heads, tokens, tokens] are the dropout factors, or 0. scratch: see `attentionScratch` in `specs.ts`.
 */
export function attention(
  first: i32,
  count: i32,
  tokens: i32,
  heads: i32,
  size: i32,
  qkv: usize,
  factors: usize,
  weights: usize,
  out: usize,
  scratch: usize,
  scale: f32,
): void {
  const dim = <usize> (heads * size) * 4, row = 3 * dim, end = first + count;
  const panels = (tokens + COMPACT_ROWS - 1) / COMPACT_ROWS, matrix = <usize> (tokens * size) * ELEMENT;
  const keys = scratch + 3 * TABLE, values = keys + matrix, queries = values + matrix;
  const result = queries + <usize> (COMPACT_ROWS * size) * ELEMENT;
  const panelFactors = result + <usize> (COMPACT_ROWS * size) * ELEMENT;
  for (; first < end; first += LANES) {
    writeTables(scratch, first, end, tokens, heads, size);
    packRows(scratch, tokens, size, qkv + dim, row, keys);
    packColumns(scratch, tokens, size, qkv + 2 * dim, row, values);
    for (let panel: i32 = 0; panel < panels; panel++) {
      const i = panelStart(panel, panels, tokens), rows = panelStart(panel + 1, panels, tokens) - i;
      packPanel(scratch, rows, size, qkv + <usize> i * row, row, queries);
      multiplyPanel(rows, tokens, size, queries, keys, weights);
      softmax(tokens, rows, weights, scale);
      let dropped = weights;
      if (factors) {
        const rowFactors = factors + <usize> (i * tokens) * 4;
        packPanel(scratch + 2 * TABLE, rows, tokens, rowFactors, <usize> tokens * 4, panelFactors);
        multiply(tokens * rows * LANES, weights, panelFactors, panelFactors);
        dropped = panelFactors;
      }
      multiplyPanel(rows, size, tokens, dropped, values, result);
      multiplyColumns(size, rows, result, weights + <usize> (tokens * rows) * ELEMENT);
      unpack(
        scratch + TABLE,
        rows,
        size,
        result,
        <usize> rows * ELEMENT,
        ELEMENT,
        out + <usize> i * dim,
        dim,
      );
      weights += <usize> ((tokens + 1) * rows) * ELEMENT;
    }
  }
}

/**
 * Computes dQkv from dOut and the forward pass's qkv, factors and weights, for all count = batch · heads heads. scratch:
 * see `attentionScratch` in `specs.ts`.
 */
export function attentionGradient(
  count: i32,
  tokens: i32,
  heads: i32,
  size: i32,
  qkv: usize,
  factors: usize,
  weights: usize,
  dOut: usize,
  dQkv: usize,
  scratch: usize,
  scale: f32,
): void {
  const dim = <usize> (heads * size) * 4, row = 3 * dim;
  const panels = (tokens + COMPACT_ROWS - 1) / COMPACT_ROWS, matrix = <usize> (tokens * size) * ELEMENT;
  const panelSize = <usize> (COMPACT_ROWS * size) * ELEMENT;
  const keys = scratch + 3 * TABLE, values = keys + matrix, dKeys = values + matrix, dValues = dKeys + matrix;
  const queries = dValues + matrix, dResult = queries + panelSize, dQueries = dResult + panelSize;
  const dScores = dQueries + panelSize, panelFactors = dScores + <usize> (tokens * COMPACT_ROWS) * ELEMENT;
  for (let first: i32 = 0; first < count; first += LANES) {
    writeTables(scratch, first, count, tokens, heads, size);
    packColumns(scratch, tokens, size, qkv + dim, row, keys);
    packRows(scratch, tokens, size, qkv + 2 * dim, row, values);
    memory.fill(dKeys, 0, 2 * matrix);
    for (let panel: i32 = 0; panel < panels; panel++) {
      const i = panelStart(panel, panels, tokens), rows = panelStart(panel + 1, panels, tokens) - i;
      packPanel(scratch, rows, size, qkv + <usize> i * row, row, queries);
      packPanel(scratch + TABLE, rows, size, dOut + <usize> i * dim, dim, dResult);
      multiplyColumns(size, rows, dResult, weights + <usize> (tokens * rows) * ELEMENT);
      multiplyPanel(rows, tokens, size, dResult, values, dScores);
      let dropped = weights;
      if (factors) {
        const rowFactors = factors + <usize> (i * tokens) * 4, n = tokens * rows * LANES;
        packPanel(scratch + 2 * TABLE, rows, tokens, rowFactors, <usize> tokens * 4, panelFactors);
        multiply(n, dScores, panelFactors, dScores);
        multiply(n, weights, panelFactors, panelFactors);
        dropped = panelFactors;
      }
      softmaxGradient(tokens, rows, weights, dScores, scale);
      multiplyPanel(rows, size, tokens, dScores, keys, dQueries);
      unpack(scratch, rows, size, dQueries, <usize> rows * ELEMENT, ELEMENT, dQkv + <usize> i * row, row);
      addOuterProduct(rows, tokens, size, dScores, queries, dKeys);
      addOuterProduct(rows, tokens, size, dropped, dResult, dValues);
      weights += <usize> ((tokens + 1) * rows) * ELEMENT;
    }
    const matrixRow = <usize> size * ELEMENT;
    unpack(scratch, tokens, size, dKeys, ELEMENT, matrixRow, dQkv + dim, row);
    unpack(scratch, tokens, size, dValues, ELEMENT, matrixRow, dQkv + 2 * dim, row);
  }
}
