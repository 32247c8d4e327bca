/** Behaviour of S3Store when the server fails. A scripted server returns the failures. */
import { expect } from "expect";
import { S3Store } from "../../../data/objects/s3/s3Store.ts";
import { S3Error } from "../../../data/objects/s3/request.ts";
import { type S3RetryPolicy } from "../../../data/objects/s3/settings.ts";
import { ObjectExistsError, ObjectNotFoundError } from "../../../data/objects/store.ts";
import { openStore } from "../../../data/objects/open.ts";
import { findVersitygw, startVersitygw } from "../../setup/versitygw.ts";
import { all, bytes, collect, same } from "./conformance.ts";

interface Received {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

type Script = (request: Received, index: number) => Response | Promise<Response>;

const QUICK: Partial<S3RetryPolicy> = { maxAttempts: 3, backoffMs: 1 };
const DATED = { "last-modified": "Wed, 21 Oct 2026 07:28:00 GMT" };

async function scripted(
  script: Script,
  fn: (store: S3Store, requests: Received[]) => Promise<void>,
  retryPolicy: Partial<S3RetryPolicy> = QUICK,
): Promise<void> {
  const requests: Received[] = [];
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { method, url, headers } = request;
    const received = { method, url: new URL(url), headers, body: await request.bytes() };
    requests.push(received);
    return await script(received, requests.length - 1);
  });
  const store = new S3Store({
    endpoint: `http://127.0.0.1:${server.addr.port}`,
    region: "us-east-1",
    bucket: "bucket",
    prefix: "pre/fix",
    accessKeyId: "key",
    secretAccessKey: "hidden",
    sessionToken: "token",
    retryPolicy,
  });
  await fn(store, requests);
}

function errorXml(status: number, code: string): Response {
  return new Response(
    `<?xml version="1.0"?><Error><Code>${code}</Code><Message>Why &amp; how</Message></Error>`,
    {
      status,
    },
  );
}

Deno.test("S3: requests are signed and keys have the prefix", () =>
  scripted(() => new Response(null, { headers: { etag: '"e1"' } }), async (store, requests) => {
    expect(await store.put("a/b.c", bytes(5))).toMatchObject({ key: "a/b.c", size: 5, etag: "e1" });
    await store.put("empty", new Uint8Array());
    expect(requests[0].url.pathname).toBe("/bucket/pre/fix/a/b.c");
    expect(requests[0].headers.get("authorization")).toMatch(
      /^AWS4-HMAC-SHA256 Credential=key\/\d{8}\/us-east-1\/s3\//,
    );
    expect(requests[0].headers.get("x-amz-security-token")).toBe("token");
    expect(requests[0].headers.get("x-amz-content-sha256")).toMatch(/^[0-9a-f]{64}$/);
    expect(requests.map(({ headers }) => headers.get("content-length"))).toEqual(["5", "0"]);
  }));

for (const status of [429, 500, 503]) {
  Deno.test(`S3: a request is retried after ${status}`, () =>
    scripted((_, index) => {
      return index < 2 ? errorXml(status, "SlowDown") : new Response(null, { headers: { etag: '"e"' } });
    }, async (store, requests) => {
      await store.put("x", bytes(1000));
      expect(requests.length).toBe(3);
      expect(requests.every(({ body }) => same(body, bytes(1000)))).toBe(true);
    }));
}

Deno.test("S3: the last attempt fails with the error message of S3", () =>
  scripted(() => errorXml(503, "SlowDown"), async (store, requests) => {
    const error = await store.put("x", bytes(5)).catch((error) => error);
    expect(error).toBeInstanceOf(S3Error);
    expect(error.message).toBe("S3 responded with 503 SlowDown to PUT s3://bucket/pre/fix/x: Why & how");
    expect(requests.length).toBe(3);
  }));

Deno.test("S3: a refused request is not retried", () =>
  scripted(() => errorXml(403, "AccessDenied"), async (store, requests) => {
    const calls = [
      () => store.put("x", bytes(5)),
      () => store.get("x"),
      () => store.head("x"),
      () => store.delete("x"),
      () => all(store, ""),
    ];
    for (const call of calls) {
      const error = await call().catch((error) => error);
      expect(error).toBeInstanceOf(S3Error);
      expect(error.status).toBe(403);
      expect(error.message).not.toContain("hidden");
    }
    expect(requests.length).toBe(calls.length);
  }));

Deno.test("S3: the error names a server that cannot be reached", async () => {
  const listener = Deno.listen({ hostname: "127.0.0.1", port: 0 });
  const endpoint = `http://127.0.0.1:${listener.addr.port}`;
  listener.close();
  const settings = {
    region: "r",
    bucket: "bucket",
    prefix: "",
    accessKeyId: "key",
    secretAccessKey: "hidden",
  };
  const store = new S3Store({ ...settings, endpoint, retryPolicy: QUICK });
  await expect(store.head("x")).rejects.toThrow(`Cannot reach ${endpoint}`);
});

Deno.test("S3: a request without a response times out", () => {
  const hanging: ((response: Response) => void)[] = [];
  return scripted(
    () => new Promise((resolve) => void hanging.push(resolve)),
    async (store, requests) => {
      await expect(store.head("x")).rejects.toThrow("No response within 50 ms");
      expect(requests.length).toBe(2);
      for (const respond of hanging) respond(new Response());
    },
    { maxAttempts: 2, backoffMs: 1, responseTimeoutMs: 50 },
  );
});

Deno.test("S3: an abort ends the pause between two attempts", () => {
  const abort = new AbortController();
  return scripted(
    () => {
      abort.abort(new Error("cancelled by the caller"));
      return errorXml(503, "SlowDown");
    },
    async (store, requests) => {
      await expect(store.put("x", bytes(5), { signal: abort.signal })).rejects.toThrow(
        "cancelled by the caller",
      );
      expect(requests.length).toBe(1);
    },
    { maxAttempts: 3, backoffMs: 3_600_000 },
  );
});

Deno.test("S3: a create whose first response was lost recognises its own object", () => {
  let mark = "";
  return scripted(({ method, headers }, index) => {
    if (index === 0) {
      mark = headers.get("x-amz-meta-unmask-put")!;
      return errorXml(500, "InternalError");
    }
    if (method === "PUT") return errorXml(412, "PreconditionFailed");
    return new Response(null, {
      headers: { etag: '"mine"', "content-length": "5", "x-amz-meta-unmask-put": mark, ...DATED },
    });
  }, async (store, requests) => {
    expect(await store.put("x", bytes(5), { ifNoneMatch: true })).toMatchObject({ etag: "mine", size: 5 });
    expect(requests.map(({ method }) => method)).toEqual(["PUT", "PUT", "HEAD"]);
  });
});

Deno.test("S3: a create fails if another one won after its first response was lost", () =>
  scripted(({ method }, index) => {
    if (index === 0) return errorXml(500, "InternalError");
    if (method === "PUT") return errorXml(412, "PreconditionFailed");
    return new Response(null, {
      headers: { etag: '"theirs"', "content-length": "5", "x-amz-meta-unmask-put": "another", ...DATED },
    });
  }, async (store) => {
    await expect(store.put("x", bytes(5), { ifNoneMatch: true })).rejects.toThrow(ObjectExistsError);
  }));

Deno.test("S3: a read continues on a new connection after the first one breaks", () => {
  const data = bytes(300_000);
  return scripted(({ headers }, index) => {
    const start = Number(/^bytes=(\d+)-/.exec(headers.get("range") ?? "")?.[1] ?? 0);
    const end = Math.min(data.length, index < 2 ? start + 100_000 : data.length);
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(data.slice(start, end)),
      // The body is shorter than its declared length, so the server breaks the connection.
      pull: (controller) => controller.close(),
    });
    const range = { "content-range": `bytes ${start}-${data.length - 1}/${data.length}` };
    return new Response(body, {
      status: start > 0 ? 206 : 200,
      headers: {
        etag: '"e1"',
        "content-length": String(data.length - start),
        ...(start > 0 && range),
        ...DATED,
      },
    });
  }, async (store, requests) => {
    const received = await store.get("x");
    expect(same(await collect(received.body), data)).toBe(true);
    expect(requests.length).toBe(3);
    expect(requests[1].headers.get("if-match")).toBe('"e1"');
    expect(requests[1].headers.get("range")).toMatch(/^bytes=[1-9]\d*-299999$/);
  });
});

Deno.test("S3: an interrupted read fails if the object was replaced", () =>
  scripted((_, index) => {
    if (index > 0) return errorXml(412, "PreconditionFailed");
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(bytes(1000)),
      pull: (controller) => controller.close(),
    });
    return new Response(body, { headers: { etag: '"e1"', "content-length": "5000", ...DATED } });
  }, async (store) => {
    const { body } = await store.get("x");
    await expect(collect(body)).rejects.toThrow("412 PreconditionFailed");
  }));

Deno.test("S3: a stalled read continues on a new connection", () => {
  const data = bytes(2000);
  const held: ReadableStreamDefaultController[] = [];
  return scripted(
    (_, index) => {
      const body = new ReadableStream({
        start(controller) {
          controller.enqueue(index === 0 ? data.slice(0, 1000) : data.slice(1000));
          if (index > 0) controller.close();
          else held.push(controller);
        },
      });
      const headers = { etag: '"e1"', ...DATED };
      return index === 0
        ? new Response(body, { headers: { ...headers, "content-length": "2000" } })
        : new Response(body, {
          status: 206,
          headers: { ...headers, "content-range": "bytes 1000-1999/2000" },
        });
    },
    async (store, requests) => {
      const { body } = await store.get("x");
      expect(same(await collect(body), data)).toBe(true);
      expect(requests.length).toBe(2);
    },
    { ...QUICK, idleTimeoutMs: 300 },
  );
});

Deno.test("S3: a server that ignores ranges is an error", () =>
  scripted(
    () => new Response(bytes(100), { headers: { etag: '"e"', "content-length": "100", ...DATED } }),
    async (store) => {
      await expect(store.get("x", { range: { start: 5 } })).rejects.toThrow("does not support ranges");
    },
  ));

Deno.test("S3: a multipart upload is aborted if its completion reports an error with status 200", () =>
  scripted(({ method, url }) => {
    if (url.searchParams.has("uploads")) {
      return new Response(
        "<InitiateMultipartUploadResult><UploadId>id+/=1</UploadId></InitiateMultipartUploadResult>",
      );
    }
    if (method === "PUT") {
      return new Response(null, { headers: { etag: `"p${url.searchParams.get("partNumber")}"` } });
    }
    return method === "POST" ? errorXml(200, "InternalError") : new Response(null, { status: 204 });
  }, async (store, requests) => {
    await expect(store.put("x", bytes(20 * 1024 * 1024))).rejects.toThrow("InternalError");
    expect(requests.map(({ method }) => method)).toEqual(["POST", "PUT", "PUT", "PUT", "POST", "DELETE"]);
    expect(requests.slice(1).every(({ url }) => url.searchParams.get("uploadId") === "id+/=1")).toBe(true);
    expect(new TextDecoder().decode(requests[4].body)).toMatch(
      /<PartNumber>1<\/PartNumber><ETag>(&quot;|")p1/,
    );
  }));

Deno.test("S3: a listing has several pages, and other objects of the bucket are skipped", () =>
  scripted(({ url }) => {
    const entry = (key: string) =>
      `<Contents><Key>${key}</Key><Size>3</Size><ETag>&quot;e&quot;</ETag>` +
      `<LastModified>2026-10-21T07:28:00.000Z</LastModified></Contents>`;
    const token = url.searchParams.get("continuation-token");
    if (!token) {
      return new Response(
        `<ListBucketResult><IsTruncated>true</IsTruncated><NextContinuationToken>t+1=</NextContinuationToken>` +
          entry("pre/fix/a") + entry("pre/fix/folder/") + `</ListBucketResult>`,
      );
    }
    expect(token).toBe("t+1=");
    return new Response(
      `<ListBucketResult><IsTruncated>false</IsTruncated>${entry("pre/fix/b c")}${
        entry("pre/fix/007")
      }</ListBucketResult>`,
    );
  }, async (store, requests) => {
    const modifiedAt = new Date("2026-10-21T07:28:00Z");
    expect(await all(store, "")).toEqual([
      { key: "a", size: 3, etag: "e", modifiedAt },
      { key: "007", size: 3, etag: "e", modifiedAt },
    ]);
    expect(requests[0].url.searchParams.get("prefix")).toBe("pre/fix/");
  }));

const ignore = await findVersitygw() === null;

Deno.test({
  name: "S3: a wrong secret or bucket is an error, not a missing object",
  ignore,
  fn: async () => {
    await using server = await startVersitygw();
    const { bucket, access: s3 } = server!;
    const wrong = openStore({ url: `s3://${bucket}`, s3: { ...s3, secretAccessKey: "wrong" } });
    await expect(wrong.get("x")).rejects.toThrow("SignatureDoesNotMatch");
    await expect(wrong.put("x", bytes(1))).rejects.toThrow("SignatureDoesNotMatch");
    const elsewhere = openStore({ url: "s3://no-such-bucket", s3 });
    await expect(elsewhere.get("x")).rejects.toThrow("NoSuchBucket");
    await expect(elsewhere.put("x", bytes(1))).rejects.toThrow("NoSuchBucket");
    await expect(all(elsewhere, "")).rejects.toThrow("NoSuchBucket");
    await expect(openStore({ url: `s3://${bucket}`, s3 }).get("x")).rejects.toThrow(ObjectNotFoundError);
  },
});

Deno.test({
  name: "S3: a real server lists more than a page of objects in order",
  ignore,
  fn: async () => {
    await using server = await startVersitygw();
    const store = openStore({ url: `s3://${server!.bucket}/p`, s3: server!.access });
    const keys = Array.from({ length: 1050 }, (_, i) => `n/${i}`);
    for (let index = 0; index < keys.length; index += 50) {
      await Promise.all(keys.slice(index, index + 50).map((key) => store.put(key, bytes(1))));
    }
    expect((await all(store, "n/")).map(({ key }) => key)).toEqual([...keys].sort());
  },
});
