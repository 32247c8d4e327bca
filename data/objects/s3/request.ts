/**
 * Requests to S3, responses and errors.
 *
 * @module
 */
import type { Bytes } from "../../bytes.ts";
import { parseError } from "./xml.ts";

/** A request. */
export interface S3Request {
  readonly method: "GET" | "HEAD" | "PUT" | "POST" | "DELETE";
  /** Full key in the bucket; empty for the bucket itself. */
  readonly path: string;
  /** Query parameters before encoding. */
  readonly query?: Record<string, string>;
  /** Signed headers. */
  readonly headers?: Record<string, string>;
  /** The whole body, because it may have to be sent again. */
  readonly body?: Bytes | string;
  /** Cancels attempts, pauses and the body of the response. */
  readonly signal?: AbortSignal;
}

/** A response whose body has not been read. The body must be read or cancelled. */
export interface S3Response {
  readonly response: Response;
  /** Closes the connection, and fails the body with the reason. */
  abort(reason: unknown): void;
}

/** S3 refused a request or could not be reached. The message contains no secret. */
export class S3Error extends Error {
  override readonly name = "S3Error";
  /**
   * @param status HTTP status; 0 without a response
   * @param code error code of S3; may be empty
   */
  constructor(message: string, readonly status: number, readonly code: string, options?: ErrorOptions) {
    super(message, options);
  }
}

/** Creates the error that an XML response describes. */
export function createS3Error(
  bucket: string,
  { method, path }: S3Request,
  status: number,
  text: string,
): S3Error {
  const { code, message } = parseError(text) ?? { code: "", message: "" };
  const target = `${method} s3://${bucket}/${path}`;
  return new S3Error(
    `S3 responded with ${[status, code].join(" ").trim()} to ${target}: ${message}`,
    status,
    code,
  );
}
