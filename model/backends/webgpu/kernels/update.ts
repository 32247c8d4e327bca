/**
 * The end of a planned step: the loss is checked and recorded, and AdamW updates all parameters in place.
 *
 * @module
 */
import { type Call, program } from "../program.ts";
import { sumOfThreads } from "./sums.ts";

/** Number of values that a workgroup of {@linkcode updateCall} updates. The address of every parameter is a multiple of it. */
export const UPDATE_VALUES = 256;

/** Indices in the header of a step: AdamW's scalars, the index of the loss, and the mark of the step. */
export const HEADER = {
  decay: 0,
  oneMinusBeta1: 1,
  beta2: 2,
  oneMinusBeta2: 3,
  biasCorrection2Sqrt: 4,
  eps: 5,
  stepSize: 6,
  slot: 7,
  mark: 8,
} as const;

/** Number of values of a header. */
export const HEADER_SIZE = 64;

const total = sumOfThreads(UPDATE_VALUES, "f32");

const RECORD_LOSS = program({
  name: "record of the loss",
  writes: { losses: "f32", failed: "u32" },
  reads: { partials: "f32", header: "f32" },
  uniforms: { size: "u32" },
  threads: UPDATE_VALUES,
  shared: total.shared,
  body: `
  var threadSum = 0.0;
  for (var i = thread; i < u.size; i += ${UPDATE_VALUES}u) { threadSum += partials[i]; }
  ${total.code}
  if (thread == 0u) {
    let loss = partial[0];
    let slot = 2u * u32(header[${HEADER.slot}]);
    losses[slot] = loss;
    losses[slot + 1u] = header[${HEADER.mark}];
    // Compared as bits: a compiler may assume that no float is NaN or infinite.
    if ((bitcast<u32>(loss) & 0x7f800000u) == 0x7f800000u) { failed[0] = 1u; }
  }`,
});

/**
 * Adds `size` partial losses and writes the loss and the mark of the step to a slot of `losses`. A loss that is not
 * finite sets `failed`, and no later step clears it. Buffers: losses, failed, partials, header.
 */
export const recordLossCall = (size: number): Call => ({ program: RECORD_LOSS, uniforms: [size], groups: 1 });

const UPDATE = program({
  name: "AdamW of all parameters",
  writes: { param: "f32", expAvg: "f32", expAvgSq: "f32" },
  reads: { grads: "f32", table: "vec4<u32>", header: "f32", failed: "u32" },
  uniforms: { groups: "u32" },
  threads: UPDATE_VALUES,
  body: `
  if (group >= u.groups || failed[0] != 0u) { return; }
  let entry = table[group];
  if (thread >= entry.w) { return; }
  var g = 0.0;
  for (var split = 0u; split < entry.z; split++) { g += grads[entry.x + split * entry.y + thread]; }
  let i = group * ${UPDATE_VALUES}u + thread;
  let m = expAvg[i] + (g - expAvg[i]) * header[${HEADER.oneMinusBeta1}];
  let v = expAvgSq[i] * header[${HEADER.beta2}] + g * g * header[${HEADER.oneMinusBeta2}];
  let denominator = sqrt(v) / header[${HEADER.biasCorrection2Sqrt}] + header[${HEADER.eps}];
  param[i] = param[i] * header[${HEADER.decay}] - m / denominator * header[${HEADER.stepSize}];
  expAvg[i] = m;
  expAvgSq[i] = v;`,
});

/**
 * Adds the partial gradients and updates the parameters, unless `failed` is set. Each workgroup has an entry of `table`:
 * the address of its first partial gradient, the distance to the next one, their number, and the number of values.
 * Buffers: param, expAvg, expAvgSq, grads, table, header, failed.
 */
export const updateCall = (groups: number): Call => ({ program: UPDATE, uniforms: [groups], groups });
