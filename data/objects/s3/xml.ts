/**
 * The XML documents of S3's requests and responses.
 *
 * @module
 */
import { XMLBuilder, XMLParser } from "fast-xml-parser";

const parser = new XMLParser({
  ignoreDeclaration: true,
  parseTagValue: false,
  isArray: (name) => name === "Contents" || name === "Upload",
});
const builder = new XMLBuilder({});

/** One page of ListObjectsV2. */
export interface ListPage {
  /** Ordered by key. Keys are full keys in the bucket. */
  readonly objects: readonly {
    readonly key: string;
    readonly size: number;
    readonly etag: string;
    readonly modifiedAt: Date;
  }[];
  /** Token of the next page; undefined on the last. */
  readonly next: string | undefined;
}

/** Parses a page of objects. @throws {TypeError} if the text is not such a page */
export function parseListPage(text: string): ListPage {
  const result = root(text, "ListBucketResult");
  const truncated = result.IsTruncated === "true";
  if (truncated && typeof result.NextContinuationToken !== "string") {
    throw new TypeError("The listing of S3 is truncated but has no continuation token");
  }
  return {
    objects: (result.Contents as Record<string, string>[] | undefined ?? []).map((entry) => ({
      key: entry.Key,
      size: Number(entry.Size),
      etag: unquote(entry.ETag ?? ""),
      modifiedAt: new Date(entry.LastModified),
    })),
    next: truncated ? result.NextContinuationToken as string : undefined,
  };
}

/** One page of ListMultipartUploads. */
export interface UploadPage {
  /** Uploads that are neither completed nor aborted. Keys are full keys in the bucket. */
  readonly uploads: readonly { readonly key: string; readonly uploadId: string; readonly startedAt: Date }[];
  /** Markers of the next page; undefined on the last page. */
  readonly next: { readonly key: string; readonly uploadId: string } | undefined;
}

/** Parses a page of multipart uploads. @throws {TypeError} if the text is not such a page */
export function parseUploadPage(text: string): UploadPage {
  const result = root(text, "ListMultipartUploadsResult");
  const key = result.NextKeyMarker, uploadId = result.NextUploadIdMarker;
  const hasNext = result.IsTruncated === "true" && typeof key === "string" && typeof uploadId === "string";
  return {
    uploads: (result.Upload as Record<string, string>[] | undefined ?? []).map((upload) => ({
      key: upload.Key,
      uploadId: upload.UploadId,
      startedAt: new Date(upload.Initiated),
    })),
    next: hasNext ? { key, uploadId } : undefined,
  };
}

/** Parses the response to CreateMultipartUpload. @returns the id of the upload @throws {TypeError} */
export function parseUploadId(text: string): string {
  const id = root(text, "InitiateMultipartUploadResult").UploadId;
  if (typeof id !== "string" || id === "") {
    throw new TypeError("The response to CreateMultipartUpload has no id");
  }
  return id;
}

/** Parses the response to CompleteMultipartUpload. @returns the etag of the object @throws {TypeError} */
export function parseCompletedEtag(text: string): string {
  const etag = root(text, "CompleteMultipartUploadResult").ETag;
  if (typeof etag !== "string") throw new TypeError("The response to CompleteMultipartUpload has no etag");
  return unquote(etag);
}

/** Parses an error document. Returns undefined for any other text. */
export function parseError(text: string): { code: string; message: string } | undefined {
  try {
    const error = root(text, "Error");
    return { code: String(error.Code ?? ""), message: String(error.Message ?? "") };
  } catch {
    return undefined;
  }
}

/** Creates the body of CompleteMultipartUpload. @param etags etags of the parts in order */
export function completeBody(etags: readonly string[]): string {
  return builder.build({
    CompleteMultipartUpload: { Part: etags.map((ETag, index) => ({ PartNumber: index + 1, ETag })) },
  });
}

/** Removes the quotes of an etag. */
export function unquote(etag: string): string {
  return etag.replace(/^"(.*)"$/, "$1");
}

function root(text: string, name: string): Record<string, unknown> {
  const document = parser.parse(text) as Record<string, unknown>;
  if (!(name in document)) throw new TypeError(`The response of S3 has no <${name}>: ${text.slice(0, 200)}`);
  return document[name] === "" ? {} : document[name] as Record<string, unknown>;
}
