/**
 * One step of AdamW (Loshchilov and Hutter 2019) on n values, n a multiple of 4, in the order of `torch.optim.AdamW`.
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
  for (; n > 0; n -= 4) {
    let g = v128.load(grad), workerGrad = grad;
    for (let i: i32 = 1; i < workers; i++) {
      workerGrad += gradStride;
      g = f32x4.add(g, v128.load(workerGrad));
    }
    const m0 = v128.load(expAvg), v0 = v128.load(expAvgSq);
    const m = f32x4.add(m0, f32x4.mul(f32x4.sub(g, m0), rates1));
    const v = f32x4.add(f32x4.mul(v0, betas2), f32x4.mul(f32x4.mul(g, g), rates2));
    const denominator = f32x4.add(f32x4.div(f32x4.sqrt(v), corrections), epsilons);
    const decayed = f32x4.mul(v128.load(param), decays);
    v128.store(expAvg, m);
    v128.store(expAvgSq, v);
    v128.store(param, f32x4.sub(decayed, f32x4.mul(f32x4.div(m, denominator), sizes)));
    param += 16;
    expAvg += 16;
    expAvgSq += 16;
    grad += 16;
  }
}
