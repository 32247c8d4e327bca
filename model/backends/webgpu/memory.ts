/**
 * Limits the memory of the device. TensorFlow.js keeps every unused buffer for the next tensor of exactly that size, so
 * inputs of changing sizes would fill the memory.
 *
 * @module
 */
import type { WebgpuBackend } from "./backend.ts";

/** Unused bytes that are always kept. */
const SPARE_BYTES = 2 ** 28;

/**
 * Destroys the unused buffers when they exceed the peak of the used ones.
 *
 * @param backend its `submitQueue` is replaced
 */
export function limitMemory(backend: WebgpuBackend, spareBytes = SPARE_BYTES): void {
  const { bufferManager } = backend;
  const submit = backend.submitQueue.bind(backend);
  let peakBytes = 0;
  backend.submitQueue = () => {
    peakBytes = Math.max(peakBytes, bufferManager.numBytesUsed);
    submit();
    const unusedBytes = bufferManager.numBytesAllocated - bufferManager.numBytesUsed;
    if (unusedBytes <= peakBytes + spareBytes) return;
    for (const buffers of bufferManager.freeBuffers.values()) {
      for (const buffer of buffers) {
        bufferManager.numBytesAllocated -= buffer.size;
        buffer.destroy();
      }
      bufferManager.numFreeBuffers -= buffers.length;
      buffers.length = 0;
    }
  };
}
