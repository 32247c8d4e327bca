/**
 * Requests to the HTTP API.
 *
 * @module
 */

/** An error response. `errors` has the wrong fields, as `[{path, message}]`. */
export class ApiError extends Error {
  constructor(status, message, errors) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.errors = errors;
  }
}

/** Sends a request, with a form or with JSON, and returns the response. @throws {ApiError} */
export async function call(path, { method = "GET", body, accept = "application/json", signal } = {}) {
  const isJson = body !== undefined && !(body instanceof FormData);
  let response;
  try {
    response = await fetch(path, {
      method,
      signal,
      headers: { accept, ...(isJson ? { "content-type": "application/json" } : {}) },
      body: isJson ? JSON.stringify(body) : body,
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ApiError(0, "The server cannot be reached.", []);
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  const message = problem.detail ?? problem.title ?? `The server responded with status ${response.status}.`;
  throw new ApiError(response.status, message, Array.isArray(problem.errors) ? problem.errors : []);
}

/** Sends a request and returns its JSON. @throws {ApiError} */
export async function callJson(path, options) {
  return await (await call(path, options)).json();
}

/** Returns the rows of a list from all its pages, up to about `max` rows. @throws {ApiError} */
export async function callList(path, max = 500) {
  const data = [];
  let after = null;
  do {
    const query = new URLSearchParams({ limit: "100", ...(after === null ? {} : { after }) });
    const page = await callJson(`${path}?${query}`);
    data.push(...page.data);
    after = page.has_more && data.length < max ? page.next : null;
  } while (after !== null);
  return data;
}
