/**
 * Static files, which are read once and cached.
 *
 * @module
 */

/** A static file. */
export interface StaticFile {
  /** Value of the `Content-Type` header. */
  readonly contentType: string;
  /** Returns the bytes, which are read from disk at the first call. */
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
 * Creates a static file.
 *
 * @param url of the file
 * @throws {TypeError} for an unsupported extension
 */
export function staticFile(url: URL): StaticFile {
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
