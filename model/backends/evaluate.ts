/**
 * Computes functions of tensors on the selected backend.
 *
 * @module
 */
import * as tf from "@tensorflow/tfjs-core";
import type { Input, Planner } from "./backend.ts";

/**
 * Computes a function: by the planner of the selected backend, or operation by operation.
 *
 * @param compute returns the results; it may use the operations of `model/ops/` and their gradients
 * @throws {PlanError} when the planner does not support an operation
 *
 * @example
 * ```ts
 * import { gelu } from "../ops/gelu.ts";
 * import { evaluate } from "./evaluate.ts";
 * import { selectBackend } from "./select.ts";
 *
 * const { planner } = await selectBackend("simd");
 * const x = { data: Float32Array.of(-1, 0, 1), shape: [3] };
 * const [values] = await evaluate([x], (x) => [gelu(x)], planner);
 * console.log(values); // -0.159, 0, 0.841
 * ```
 */
export async function evaluate(
  inputs: readonly Input[],
  compute: (...inputs: tf.Tensor[]) => readonly tf.Tensor[],
  planner?: Planner,
): Promise<Float32Array[]> {
  if (planner?.evaluate) return planner.evaluate(inputs, compute);
  const results = tf.tidy(() =>
    compute(
      ...inputs.map(({ data, shape }) =>
        tf.tensor(data, [...shape], data instanceof Int32Array ? "int32" : "float32")
      ),
    ) as tf.Tensor[]
  );
  try {
    const values: Float32Array[] = [];
    for (const result of results) values.push(await result.data() as Float32Array);
    return values;
  } finally {
    tf.dispose(results);
  }
}
