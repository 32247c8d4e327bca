/**
 * One step of AdamW (Loshchilov and Hutter 2019) on n values, n a multiple of 8, in the order of `torch.optim.AdamW`.
 * The gradient is the sum of the buffers of all workers, `gradStride` bytes apart, in the order of the workers.
 * `ops/adamw.ts` defines the scalars.
 */
export function adamw(
  n: i32,
  param: usize,
  expAvg: usize,
  expAvgSq: usize,
  grad: usize,
  workers: i32,
  gradStride: usize,
  decay: f32,
  oneMinusBeta1: f32,
  beta2: f32,
  oneMinusBeta2: f32,
  biasCorrection2Sqrt: f32,
  eps: f32,
  stepSize: f32,
): void {
  const decays = f32x4.splat(decay), rates1 = f32x4.splat(oneMinusBeta1), betas2 = f32x4.splat(beta2);
  const rates2 = f32x4.splat(oneMinusBeta2),
    corrections = f32x4.splat(biasCorrection2Sqrt),
    epsilons = f32x4.splat(eps);
  const sizes = f32x4.splat(stepSize);
  for (; n > 0; n -= 8) {
    let g0 = v128.load(grad), g1 = v128.load(grad, 16), workerGrad = grad;
    for (let i: i32 = 1; i < workers; i++) {
      workerGrad += gradStride;
      g0 = f32x4.add(g0, v128.load(workerGrad));
      g1 = f32x4.add(g1, v128.load(workerGrad, 16));
    }
    const oldM0 = v128.load(expAvg), oldM1 = v128.load(expAvg, 16);
    const m0 = f32x4.add(oldM0, f32x4.mul(f32x4.sub(g0, oldM0), rates1));
    const m1 = f32x4.add(oldM1, f32x4.mul(f32x4.sub(g1, oldM1), rates1));
    const v0 = f32x4.add(f32x4.mul(v128.load(expAvgSq), betas2), f32x4.mul(f32x4.mul(g0, g0), rates2));
    const v1 = f32x4.add(f32x4.mul(v128.load(expAvgSq, 16), betas2), f32x4.mul(f32x4.mul(g1, g1), rates2));
    const denominator0 = f32x4.add(f32x4.div(f32x4.sqrt(v0), corrections), epsilons);
    const denominator1 = f32x4.add(f32x4.div(f32x4.sqrt(v1), corrections), epsilons);
    const decayed0 = f32x4.mul(v128.load(param), decays), decayed1 = f32x4.mul(v128.load(param, 16), decays);
    v128.store(expAvg, m0);
    v128.store(expAvg, m1, 16);
    v128.store(expAvgSq, v0);
    v128.store(expAvgSq, v1, 16);
    v128.store(param, f32x4.sub(decayed0, f32x4.mul(f32x4.div(m0, denominator0), sizes)));
    v128.store(param, f32x4.sub(decayed1, f32x4.mul(f32x4.div(m1, denominator1), sizes)), 16);
    param += 32;
    expAvg += 32;
    expAvgSq += 32;
    grad += 32;
  }
}
