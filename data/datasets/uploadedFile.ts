/**
 * Files that a client uploads, or that a download stores, while they become a data set.
 *
 * @module
 */
/** A file of an upload. It is kept in a temporary file while the request is handled. */
export interface UploadedFile {
  /** The form field of the file. */
  readonly field: string;
  /** The client's name for the file. It is used in messages only, never as a path. */
  readonly filename: string;
  readonly path: string;
  /** Size in bytes. */
  readonly size: number;
}
