/**
 * The XML of S3's answers and requests.
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
  /** In the order of their keys, which are whole keys in the bucket. */
  readonly objects: readonly {
    readonly key: string;
    readonly size: number;
    readonly etag: string;
    readonly modifiedAt: Date;
  }[];
  /** Token of the next page; undefined on the last. */
  readonly next: string | undefined;
}

/** A listing's page. @throws {TypeError} when the text is none */
export function parseListPage(text: string): ListPage {
  const result = root(text, "ListBucketResult");
  const truncated = result.IsTruncated === "true";
  if (truncated && typeof result.NextContinuationToken !== "string") {
    throw new TypeError("S3's listing goes on but names no continuation token");
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
  /** Uploads that are neither completed nor aborted; keys are whole keys in the bucket. */
  readonly uploads: readonly { readonly key: string; readonly uploadId: string; readonly startedAt: Date }[];
  /** Where the next page begins; undefined on the last page. */
  readonly next: { readonly key: string; readonly uploadId: string } | undefined;
}

/** Parses a page of multipart uploads. @throws {TypeError} when the text is not such a page */
export function parseUploadPage(text: string): UploadPage {
  const result = root(text, "ListMultipartUploadsResult");
  const key = result.NextKeyMarker, uploadId = result.NextUploadIdMarker;
  const goesOn = result.IsTruncated === "true" && typeof key === "string" && typeof uploadId === "string";
  return {
    uploads: (result.Upload as Record<string, string>[] | undefined ?? []).map((upload) => ({
      key: upload.Key,
      uploadId: upload.UploadId,
      startedAt: new Date(upload.Initiated),
    })),
    next: goesOn ? { key, uploadId } : undefined,
  };
}

/** The upload's id in the answer to CreateMultipartUpload. @throws {TypeError} when there is none */
export function parseUploadId(text: string): string {
  const id = root(text, "InitiateMultipartUploadResult").UploadId;
  if (typeof id !== "string" || id === "") throw new TypeError("S3 started a multipart upload without an id");
  return id;
}

/** The finished object's etag in the answer to CompleteMultipartUpload. @throws {TypeError} when there is none */
export function parseCompletedEtag(text: string): string {
  const etag = root(text, "CompleteMultipartUploadResult").ETag;
  if (typeof etag !== "string") throw new TypeError("S3 finished a multipart upload without an etag");
  return unquote(etag);
}

/** Code and message of an error's body; undefined where the text is none. */
export function parseError(text: string): { code: string; message: string } | undefined {
  try {
    const error = root(text, "Error");
    return { code: String(error.Code ?? ""), message: String(error.Message ?? "") };
  } catch {
    return undefined;
  }
}

/** Body of CompleteMultipartUpload: the parts' etags as answered, first part first. */
export function completeBody(etags: readonly string[]): string {
  return builder.build({
    CompleteMultipartUpload: { Part: etags.map((ETag, index) => ({ PartNumber: index + 1, ETag })) },
  });
}

/** An etag without its quotes. */
export function unquote(etag: string): string {
  return etag.replace(/^"(.*)"$/, "$1");
}

function root(text: string, name: string): Record<string, unknown> {
  const document = parser.parse(text) as Record<string, unknown>;
  if (!(name in document)) throw new TypeError(`S3 answered without <${name}>: ${text.slice(0, 200)}`);
  return document[name] === "" ? {} : document[name] as Record<string, unknown>;
}
