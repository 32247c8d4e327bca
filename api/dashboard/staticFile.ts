/**
 * A file of a page: read once, kept in memory.
 *
 * @module
 */

/** A static file as it is answered. */
export interface PageFile {
  /** Value of the `Content-Type` header. */
  readonly contentType: string;
  /** The bytes; read from disk at the first call only. */
  read(): Promise<Uint8Array<ArrayBuffer>>;
}

const CONTENT_TYPES: Record<string, string> = {
  html: "text/html; charset=utf-8",
  css: "text/css; charset=utf-8",
  js: "text/javascript; charset=utf-8",
  svg: "image/svg+xml",
  png: "image/png",
};

/**
 * A file to be answered.
 *
 * @param url where it lies, a `file:` URL
 * @throws {TypeError} for an extension whose content type is not known
 */
export function pageFile(url: URL): PageFile {
  const extension = url.pathname.slice(url.pathname.lastIndexOf(".") + 1);
  const contentType = CONTENT_TYPES[extension];
  if (contentType === undefined) {
    throw new TypeError(
      `Cannot serve '${url}': its extension must be one of ${Object.keys(CONTENT_TYPES).join(", ")}`,
    );
  }
  let bytes: Promise<Uint8Array<ArrayBuffer>> | undefined;
  return {
    contentType,
    read() {
      bytes ??= Deno.readFile(url).catch((cause) => {
        bytes = undefined;
        throw cause;
      });
      return bytes;
    },
  };
}
