/**
 * Limits of requests, connections and jobs. `createApp` can replace each of them.
 *
 * @module
 */
import { MAX_TRAINING_BYTES } from "../../jobs/requests/memory.ts";

/** Maximum sizes in bytes and times in milliseconds, unless the name has another unit. */
export interface ApiLimits {
  /** A JSON body. */
  readonly jsonBytes: number;
  /** Nesting of a JSON body. */
  readonly jsonDepth: number;
  /** Keys and array elements of a JSON body together. */
  readonly jsonValues: number;
  /** A JSON body that carries images in base64. */
  readonly imageJsonBytes: number;
  /** Keys and array elements of such a body, which can have masks of many images. */
  readonly imageJsonValues: number;
  /** Path and query of a request. */
  readonly urlBytes: number;
  /** Names and values of all header fields together. */
  readonly headerBytes: number;
  /** Time between two chunks of a body. */
  readonly bodyIdleMs: number;
  /** Time for a JSON body to arrive. */
  readonly bodyTotalMs: number;
  /** Time for an upload to arrive. */
  readonly uploadTotalMs: number;
  /** All files and fields of a data set upload. */
  readonly uploadBytes: number;
  /** Files of a data set upload. */
  readonly uploadFiles: number;
  /** All files and fields of an upload of weights. */
  readonly weightsBytes: number;
  /** Files of an upload of weights. */
  readonly weightsFiles: number;
  /** Number of uploads of weights that arrive, wait or are stored at the same time. */
  readonly weightsUploads: number;
  /** Number of imports that are converted and stored at the same time. Others wait. */
  readonly imports: number;
  /** Number of imports by URL that run at the same time. */
  readonly downloads: number;
  /** Time to check and store an upload that has arrived. */
  readonly uploadStoreMs: number;
  /** Fields of a multipart body. */
  readonly formFields: number;
  /** One field of a multipart body. */
  readonly formFieldBytes: number;
  /** One field of a multipart body that carries images. Masks of many images are JSON in a field. */
  readonly imageFormFieldBytes: number;
  /** One image of an inference request, encoded. */
  readonly imageBytes: number;
  /** All images of an inference request in a multipart body. */
  readonly imagesBytes: number;
  /** Values (height x width x channels x images) of an inference request. */
  readonly imageValues: number;
  /** Estimated memory of a response with the results of a model, as a whole. One image is always allowed. */
  readonly responseBytes: number;
  /** Time to load a model and compute a response. */
  readonly inferenceMs: number;
  /** Seconds of `Prefer: wait` or `?wait=`. */
  readonly waitSeconds: number;
  /** Time without an event after which an event stream sends a comment. */
  readonly heartbeatMs: number;
  /** Time for each readiness probe. */
  readonly readyMs: number;
  /** Time without a read after which an event stream is closed. */
  readonly stalledMs: number;
  /** Number of exports of checkpoints that run at the same time. */
  readonly exports: number;
  /** Number of open event streams. */
  readonly streams: number;
  /** Time for a request's line and headers to arrive. */
  readonly headMs: number;
  /** Time that a connection may be idle between two requests. */
  readonly keepAliveMs: number;
  /** Time for which a client may stop reading a response. */
  readonly writeIdleMs: number;
  /** Bytes of a rejected body that are read and discarded before the connection is closed. */
  readonly rejectedBytes: number;
  /** Time for discarding a rejected body. */
  readonly rejectedMs: number;
  /** Estimated size of one job's checkpoints in object storage. */
  readonly checkpointBytes: number;
  /** Estimated memory of a training step. */
  readonly trainingBytes: number;
}

/** The default limits. */
export const DEFAULT_LIMITS: ApiLimits = {
  jsonBytes: 2 ** 20,
  jsonDepth: 32,
  jsonValues: 10_000,
  imageJsonBytes: 32 * 2 ** 20,
  imageJsonValues: 2 ** 17,
  urlBytes: 8192,
  headerBytes: 32 * 1024,
  bodyIdleMs: 15_000,
  bodyTotalMs: 60_000,
  uploadTotalMs: 3_600_000,
  uploadBytes: 4 * 2 ** 30,
  uploadFiles: 4,
  weightsBytes: 16 * 2 ** 30,
  weightsFiles: 128,
  weightsUploads: 8,
  imports: 2,
  downloads: 4,
  uploadStoreMs: 3_600_000,
  formFields: 16,
  formFieldBytes: 4096,
  imageFormFieldBytes: 2 ** 20,
  imageBytes: 20 * 2 ** 20,
  imagesBytes: 64 * 2 ** 20,
  imageValues: 2 ** 24,
  responseBytes: 2 ** 27,
  inferenceMs: 120_000,
  waitSeconds: 60,
  heartbeatMs: 15_000,
  readyMs: 2_000,
  stalledMs: 60_000,
  exports: 16,
  streams: 256,
  headMs: 10_000,
  keepAliveMs: 75_000,
  writeIdleMs: 60_000,
  rejectedBytes: 16 * 2 ** 20,
  rejectedMs: 1_000,
  checkpointBytes: 2 ** 40,
  trainingBytes: MAX_TRAINING_BYTES,
};
