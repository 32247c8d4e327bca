/**
 * Memory of the device: TensorFlow.js keeps every buffer that it ever had for the next tensor of exactly that size, so
 * that answers of ever other sizes would fill it.
 *
 * @module
 */
import type { WebgpuBackend } from "./backend.ts";

/** Free bytes that are kept whatever the work needs. */
const SPARE_BYTES = 2 ** 28;

/**
 * Lets buffers go when those in no use are more than what the work needed at its height.
 *
 * @param backend its `submitQueue` is replaced
 */
export function boundMemory(backend: WebgpuBackend, spareBytes = SPARE_BYTES): void {
  const { bufferManager } = backend;
  const submit = backend.submitQueue.bind(backend);
  let most = 0;
  backend.submitQueue = () => {
    most = Math.max(most, bufferManager.numBytesUsed);
    submit();
    const free = bufferManager.numBytesAllocated - bufferManager.numBytesUsed;
    if (free <= most + spareBytes) return;
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
