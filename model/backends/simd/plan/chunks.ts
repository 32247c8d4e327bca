/**
 * The division of a batch among the workers.
 *
 * @module
 */

/** Consecutive images of a batch that a worker computes together. */
export interface Chunk {
  /** Index among the chunks of the batch. */
  readonly index: number;
  /** Index of the first image in the batch. */
  readonly first: number;
  readonly images: number;
}

/** Returns the number of chunks of a batch: the same for every worker, of at most `maxImages` images each. */
export function chunkCount(images: number, threads: number, maxImages: number): number {
  return threads * Math.ceil(Math.ceil(images / threads) / maxImages);
}

/** Divides a batch. Returns the chunks of each worker. */
export function splitBatch(images: number, threads: number, maxImages: number): Chunk[][] {
  const count = chunkCount(images, threads, maxImages), perWorker = count / threads;
  const chunks = Array.from({ length: count }, (_, index): Chunk => {
    const first = Math.floor(images * index / count), end = Math.floor(images * (index + 1) / count);
    return { index, first, images: end - first };
  });
  return Array.from(
    { length: threads },
    (_, worker) =>
      chunks.slice(perWorker * worker, perWorker * (worker + 1)).filter(({ images }) => images > 0),
  );
}
