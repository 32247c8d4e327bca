/**
 * AdamW (Loshchilov & Hutter 2019) over one flat buffer, with the operations and their order of `torch.optim.AdamW`.
 *
 * @module
 */

const step = (
  load: (at: string) => string,
  store: (at: string, value: string) => string,
  ops: { add: string; sub: string; mul: string; div: string; sqrt: string },
  constants: { [name: string]: string },
) => {
  const c = constants;
  return `
    const m0 = ${load("expAvg")}, v0 = ${load("expAvgSq")};
    const m = ${ops.add}(m0, ${ops.mul}(${ops.sub}(g, m0), ${c.m}));
    const v = ${ops.add}(${ops.mul}(v0, ${c.v}), ${ops.mul}(${ops.mul}(g, g), ${c.g}));
    const denominator = ${ops.add}(${ops.div}(${ops.sqrt}(v), ${c.correction}), ${c.eps});
    const decayed = ${ops.mul}(${load("param")}, ${c.decay});
    ${store("expAvg", "m")}
    ${store("expAvgSq", "v")}
    ${store("param", `${ops.sub}(decayed, ${ops.mul}(${ops.div}(m, denominator), ${c.size}))`)}`;
};

const vector = {
  add: "f32x4.add",
  sub: "f32x4.sub",
  mul: "f32x4.mul",
  div: "f32x4.div",
  sqrt: "f32x4.sqrt",
};
const scalar = { add: "sum32", sub: "difference32", mul: "product32", div: "quotient32", sqrt: "sqrt<f32>" };

/** Source of the optimiser. */
export const ADAMW = `
// @ts-ignore: decorator
@inline function sum32(a: f32, b: f32): f32 { return a + b; }
// @ts-ignore: decorator
@inline function difference32(a: f32, b: f32): f32 { return a - b; }
// @ts-ignore: decorator
@inline function product32(a: f32, b: f32): f32 { return a * b; }
// @ts-ignore: decorator
@inline function quotient32(a: f32, b: f32): f32 { return a / b; }

/**
 * One step over n values. The gradient is the sum of \`parts\` buffers at the distance \`apart\` bytes, in their order;
 * they are left as they are. decay = 1 - lr · weight decay, correction = sqrt(1 - beta2^t), size = lr / (1 - beta1^t).
 */
export function adamw(
  n: i32, param: usize, expAvg: usize, expAvgSq: usize, grad: usize, parts: i32, apart: usize,
  decay: f32, oneMinusBeta1: f32, beta2: f32, oneMinusBeta2: f32, correction: f32, eps: f32, size: f32,
): void {
  const decays = f32x4.splat(decay), ms = f32x4.splat(oneMinusBeta1), vs = f32x4.splat(beta2);
  const gs = f32x4.splat(oneMinusBeta2), corrections = f32x4.splat(correction), epses = f32x4.splat(eps);
  const sizes = f32x4.splat(size);
  for (; n >= 4; n -= 4) {
    let g = v128.load(grad), at = grad;
    for (let i: i32 = 1; i < parts; i++) {
      at += apart;
      g = f32x4.add(g, v128.load(at));
    }
${
  step((at) => `v128.load(${at})`, (at, value) => `v128.store(${at}, ${value});`, vector, {
    m: "ms",
    v: "vs",
    g: "gs",
    correction: "corrections",
    eps: "epses",
    decay: "decays",
    size: "sizes",
  })
}
    param += 16; expAvg += 16; expAvgSq += 16; grad += 16;
  }
  for (; n > 0; n--) {
    let g = f32.load(grad), at = grad;
    for (let i: i32 = 1; i < parts; i++) {
      at += apart;
      g += f32.load(at);
    }
${
  step((at) => `f32.load(${at})`, (at, value) => `f32.store(${at}, ${value});`, scalar, {
    m: "oneMinusBeta1",
    v: "beta2",
    g: "oneMinusBeta2",
    correction: "correction",
    eps: "eps",
    decay: "decay",
    size: "size",
  })
}
    param += 4; expAvg += 4; expAvgSq += 4; grad += 4;
  }
}
`;
