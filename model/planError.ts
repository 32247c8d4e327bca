/** A planner does not support a model or its size; the message is the reason. */
export class PlanError extends Error {
  override readonly name = "PlanError";
}
