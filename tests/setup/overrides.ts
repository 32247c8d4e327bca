/**
 * Objects with some methods replaced, for tests of faults and counts.
 *
 * @module
 */

/** Returns `target` with the methods in `overrides` in place of its own. `target` is not changed. */
export function withOverrides<T extends object>(target: T, overrides: Partial<Record<keyof T, unknown>>): T {
  return new Proxy(target, {
    get(target, name) {
      if (Object.hasOwn(overrides, name)) return overrides[name as keyof T];
      const value = Reflect.get(target, name);
      return typeof value === "function" ? value.bind(target) : value;
    },
  });
}

/**
 * Returns an atomic operation with another `commit`. Its other methods can be chained as usual.
 *
 * @param commit receives the original operation
 * @param onSet called with each value that the operation sets
 */
export function withCommit(
  operation: Deno.AtomicOperation,
  commit: (operation: Deno.AtomicOperation) => ReturnType<Deno.AtomicOperation["commit"]>,
  onSet: (value: unknown) => void = () => {},
): Deno.AtomicOperation {
  const wrapped: Deno.AtomicOperation = new Proxy(operation, {
    get(target, name) {
      if (name === "commit") return () => commit(target);
      const value = Reflect.get(target, name);
      return typeof value !== "function" ? value : (...args: unknown[]) => {
        if (name === "set") onSet(args[1]);
        value.apply(target, args);
        return wrapped;
      };
    },
  });
  return wrapped;
}
