/**
 * The page's calls of the HTTP API.
 *
 * @module
 */

/** An answer that is not a success; `errors` are the fields at fault, as `[{path, message}]`. */
export class ApiError extends Error {
  constructor(status, message, errors) {
    super(message);
    this.name = "ApiError";
    this.status = status;
    this.errors = errors;
  }
}

/** Calls the API and answers the response. @throws {ApiError} */
export async function call(path, { method = "GET", body, accept = "application/json", signal } = {}) {
  let response;
  try {
    response = await fetch(path, {
      method,
      signal,
      headers: { accept, ...(body === undefined ? {} : { "content-type": "application/json" }) },
      body: body === undefined ? undefined : JSON.stringify(body),
    });
  } catch (cause) {
    if (signal?.aborted) throw cause;
    throw new ApiError(0, "The server cannot be reached. Trying again…", []);
  }
  if (response.ok) return response;
  const problem = await response.json().catch(() => ({}));
  const message = problem.detail ?? problem.title ?? `The server answered ${response.status}.`;
  throw new ApiError(response.status, message, Array.isArray(problem.errors) ? problem.errors : []);
}

/** Calls the API and answers the JSON. @throws {ApiError} */
export async function callJson(path, options) {
  return await (await call(path, options)).json();
}

/** Every page of a list, up to `most` entries. @throws {ApiError} */
export async function callList(path, most = 500) {
  const data = [];
  let after = null;
  do {
    const query = new URLSearchParams({ limit: "100", ...(after === null ? {} : { after }) });
    const page = await callJson(`${path}?${query}`);
    data.push(...page.data);
    after = page.has_more && data.length < most ? page.next : null;
  } while (after !== null);
  return data;
}
