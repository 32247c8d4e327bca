/**
 * Limits of the fields of a job request.
 *
 * @module
 */

/** The maximum value, length or number of entries of each field. */
export const JOB_LIMITS = {
  epochs: 10_000,
  steps: 100_000_000,
  batchSize: 4096,
  metadataKeys: 16,
  metadataKeyLength: 64,
  metadataValueLength: 512,
  nameLength: 128,
  digitsSize: 100_000,
  keptCheckpoints: 1000,
} as const;
