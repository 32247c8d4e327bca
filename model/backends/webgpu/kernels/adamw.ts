import { elementwise } from "../program.ts";

/** One step of AdamW, with the operations of `torch.optim.AdamW` in their order. */
export const ADAMW = elementwise({
  name: "AdamW",
  writes: { newParam: "f32", newExpAvg: "f32", newExpAvgSq: "f32" },
  reads: { param: "f32", grad: "f32", expAvg: "f32", expAvgSq: "f32" },
  numbers: {
    decay: "f32",
    oneMinusBeta1: "f32",
    beta2: "f32",
    oneMinusBeta2: "f32",
    correction: "f32",
    eps: "f32",
    lr: "f32",
  },
  body: `
  let g = grad[i];
  let m = expAvg[i] + (g - expAvg[i]) * n.oneMinusBeta1;
  let v = expAvgSq[i] * n.beta2 + g * g * n.oneMinusBeta2;
  newParam[i] = param[i] * n.decay - m / (sqrt(v) / n.correction + n.eps) * n.lr;
  newExpAvg[i] = m;
  newExpAvgSq[i] = v;`,
});
