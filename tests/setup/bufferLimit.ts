/**
 * Devices with small buffers, for tests.
 *
 * @module
 */

/** Runs a function while programs may bind at most `bytes` of a buffer. */
export async function withBufferLimit<T>(bytes: number, run: () => Promise<T>): Promise<T> {
  const { prototype } = GPUSupportedLimits, name = "maxStorageBufferBindingSize";
  const original = Object.getOwnPropertyDescriptor(prototype, name)!;
  Object.defineProperty(prototype, name, { ...original, get: () => bytes });
  try {
    return await run();
  } finally {
    Object.defineProperty(prototype, name, original);
  }
}
