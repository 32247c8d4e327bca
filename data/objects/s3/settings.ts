/**
 * Settings of an S3 bucket.
 *
 * @module
 */

/** Credentials and location of an S3 service. */
export interface S3Access {
  /** Region for the signature, such as `eu-central-1`. */
  readonly region: string;
  /** URL of the server, such as `https://s3.eu-central-1.amazonaws.com`. @default Amazon's server of the region */
  readonly endpoint?: string;
  readonly accessKeyId: string;
  /** Never part of a message. */
  readonly secretAccessKey: string;
  /** Required for temporary keys. */
  readonly sessionToken?: string;
}

/** Settings of a bucket. */
export interface S3Settings extends S3Access {
  /** The bucket becomes the first segment of the path. */
  readonly endpoint: string;
  readonly bucket: string;
  /** Prefix of all keys, without `/` at its ends. May be empty. */
  readonly prefix: string;
  /** Overrides of the default policy. */
  readonly retryPolicy?: Partial<S3RetryPolicy>;
}

/** Time limits and retries. Times are in milliseconds. */
export interface S3RetryPolicy {
  /** Attempts of one request, including the first. */
  readonly maxAttempts: number;
  /** Longest pause before the second attempt. It doubles with each attempt, and jitter takes off up to a half. */
  readonly backoffMs: number;
  /** From sending a request with a body to the headers of the response. Also the limit for a whole XML response. */
  readonly responseTimeoutMs: number;
  /** From sending a request without a body to the headers of the response. */
  readonly headersTimeoutMs: number;
  /** Time after the start of the first attempt in which another attempt may begin. */
  readonly retryWindowMs: number;
  /** Between two chunks of a response body. */
  readonly idleTimeoutMs: number;
}

/** The default policy. */
export const DEFAULT_RETRY_POLICY: S3RetryPolicy = {
  maxAttempts: 5,
  backoffMs: 200,
  responseTimeoutMs: 60_000,
  headersTimeoutMs: 10_000,
  retryWindowMs: 8_000,
  idleTimeoutMs: 30_000,
};
