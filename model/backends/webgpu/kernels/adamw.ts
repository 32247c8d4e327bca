import { elementwise } from "../program.ts";

/** One step of AdamW, with the operations of `torch.optim.AdamW` in their order. */
export const ADAMW = elementwise({
  name: "AdamW",
  writes: { newParam: "f32", newExpAvg: "f32", newExpAvgSq: "f32" },
  reads: { param: "f32", grad: "f32", expAvg: "f32", expAvgSq: "f32" },
  uniforms: {
    decay: "f32",
    oneMinusBeta1: "f32",
    beta2: "f32",
    oneMinusBeta2: "f32",
    biasCorrection2Sqrt: "f32",
    eps: "f32",
    stepSize: "f32",
  },
  body: `
  let g = grad[i];
  let m = expAvg[i] + (g - expAvg[i]) * u.oneMinusBeta1;
  let v = expAvgSq[i] * u.beta2 + g * g * u.oneMinusBeta2;
  newParam[i] = param[i] * u.decay - m / (sqrt(v) / u.biasCorrection2Sqrt + u.eps) * u.stepSize;
  newExpAvg[i] = m;
  newExpAvgSq[i] = v;`,
});
