/**
 * Checks that the OpenAPI document describes a response.
 *
 * @module
 */
import { expect } from "expect";

interface DocumentedResponse {
  readonly content?: Readonly<Record<string, unknown>>;
  readonly headers?: Readonly<Record<string, { readonly required?: boolean }>>;
}

/** The parts of a document that are checked. */
export interface OpenApiDocument {
  readonly paths: Readonly<
    Record<string, Readonly<Record<string, { readonly responses: Readonly<Record<string, object>> }>>>
  >;
  readonly components: { readonly responses: Readonly<Record<string, DocumentedResponse>> };
}

/** The documented responses for a request; undefined if the document has none. */
function responsesOf({ paths }: OpenApiDocument, method: string, path: string) {
  const { pathname } = new URL(path, "http://service");
  const operations = paths[pathname] ??
    Object.entries(paths).find(([template]) =>
      new RegExp(`^${template.replaceAll(".", "\\.").replaceAll(/\{\w+\}/g, "[^/]+")}$`).test(pathname)
    )?.[1];
  return operations?.[method === "HEAD" ? "get" : method.toLowerCase()]?.responses;
}

/**
 * Expects the document to have the response's status, media type and required headers, and a response with status 422
 * to name the wrong fields. The document does not describe the dashboard.
 */
export async function expectDocumented(
  document: OpenApiDocument,
  method: string,
  path: string,
  response: Response,
): Promise<void> {
  const responses = responsesOf(document, method, path);
  if (responses === undefined) return;
  const request = `${method} ${path.slice(0, 200)}`;
  const found = responses[String(response.status)];
  expect({ request, statuses: Object.keys(responses) }).toEqual({
    request,
    statuses: expect.arrayContaining([String(response.status)]),
  });
  const documented: DocumentedResponse = "$ref" in found
    ? document.components.responses[String(found.$ref).split("/").at(-1)!]
    : found;
  const type = response.headers.get("content-type")?.split(";")[0] ?? null;
  expect({ request, status: response.status, types: [null, ...Object.keys(documented.content ?? {})] })
    .toEqual({
      request,
      status: response.status,
      types: expect.arrayContaining([type]),
    });
  for (const [name, header] of Object.entries(documented.headers ?? {})) {
    if (header.required) {
      expect({ request, name, has: response.headers.has(name) }).toMatchObject({ has: true });
    }
  }
  if (response.status !== 422 || method === "HEAD") return;
  const { errors } = await response.clone().json();
  expect({ request, errors }).toEqual({ request, errors: expect.arrayContaining([expect.anything()]) });
}
