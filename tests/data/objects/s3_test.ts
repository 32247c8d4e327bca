/** What S3Store does when the server fails: a scripted server, as a real one fails too seldom. */
import { expect } from "expect";
import { S3Store } from "../../../data/objects/s3/s3Store.ts";
import { S3Error } from "../../../data/objects/s3/request.ts";
import { type S3RetryPolicy } from "../../../data/objects/s3/settings.ts";
import { ObjectExistsError, ObjectNotFoundError } from "../../../data/objects/store.ts";
import { openStore } from "../../../data/objects/open.ts";
import { findVersitygw, startVersitygw } from "../../setup/versitygw.ts";
import { all, bytes, collect, same } from "./conformance.ts";

interface Seen {
  readonly method: string;
  readonly url: URL;
  readonly headers: Headers;
  readonly body: Uint8Array;
}

type Script = (request: Seen, index: number) => Response | Promise<Response>;

const QUICK: Partial<S3RetryPolicy> = { maxAttempts: 3, backoffMs: 1 };
const DATED = { "last-modified": "Wed, 21 Oct 2026 07:28:00 GMT" };

async function scripted(
  script: Script,
  fn: (store: S3Store, seen: Seen[]) => Promise<void>,
  retryPolicy: Partial<S3RetryPolicy> = QUICK,
): Promise<void> {
  const seen: Seen[] = [];
  await using server = Deno.serve({ hostname: "127.0.0.1", port: 0, onListen() {} }, async (request) => {
    const { method, url, headers } = request;
    const got = { method, url: new URL(url), headers, body: await request.bytes() };
    seen.push(got);
    return await script(got, seen.length - 1);
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
  await fn(store, seen);
}

function errorXml(status: number, code: string): Response {
  return new Response(
    `<?xml version="1.0"?><Error><Code>${code}</Code><Message>Why &amp; how</Message></Error>`,
    {
      status,
    },
  );
}

Deno.test("S3: signs its requests and puts the prefix before the key", () =>
  scripted(() => new Response(null, { headers: { etag: '"e1"' } }), async (store, seen) => {
    expect(await store.put("a/b.c", bytes(5))).toMatchObject({ key: "a/b.c", size: 5, etag: "e1" });
    await store.put("empty", new Uint8Array());
    expect(seen[0].url.pathname).toBe("/bucket/pre/fix/a/b.c");
    expect(seen[0].headers.get("authorization")).toMatch(
      /^AWS4-HMAC-SHA256 Credential=key\/\d{8}\/us-east-1\/s3\//,
    );
    expect(seen[0].headers.get("x-amz-security-token")).toBe("token");
    expect(seen[0].headers.get("x-amz-content-sha256")).toMatch(/^[0-9a-f]{64}$/);
    expect(seen.map(({ headers }) => headers.get("content-length"))).toEqual(["5", "0"]);
  }));

for (const status of [429, 500, 503]) {
  Deno.test(`S3: tries again after ${status}`, () =>
    scripted((_, index) => {
      return index < 2 ? errorXml(status, "SlowDown") : new Response(null, { headers: { etag: '"e"' } });
    }, async (store, seen) => {
      await store.put("x", bytes(1000));
      expect(seen.length).toBe(3);
      expect(seen.every(({ body }) => same(body, bytes(1000)))).toBe(true);
    }));
}

Deno.test("S3: gives up after the last attempt and says what S3 said", () =>
  scripted(() => errorXml(503, "SlowDown"), async (store, seen) => {
    const error = await store.put("x", bytes(5)).catch((error) => error);
    expect(error).toBeInstanceOf(S3Error);
    expect(error.message).toBe("S3 answered 503 SlowDown to PUT s3://bucket/pre/fix/x: Why & how");
    expect(seen.length).toBe(3);
  }));

Deno.test("S3: does not try again what is refused", () =>
  scripted(() => errorXml(403, "AccessDenied"), async (store, seen) => {
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
    expect(seen.length).toBe(calls.length);
  }));

Deno.test("S3: says which server cannot be reached", async () => {
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

Deno.test("S3: a server that does not answer is given up", () => {
  const hanging: ((response: Response) => void)[] = [];
  return scripted(
    () => new Promise((resolve) => void hanging.push(resolve)),
    async (store, seen) => {
      await expect(store.head("x")).rejects.toThrow("No answer within 50 ms");
      expect(seen.length).toBe(2);
      for (const answer of hanging) answer(new Response());
    },
    { maxAttempts: 2, backoffMs: 1, responseTimeoutMs: 50 },
  );
});

Deno.test("S3: an abort ends a call between two attempts", () => {
  const abort = new AbortController();
  return scripted(
    () => {
      abort.abort(new Error("no longer wanted"));
      return errorXml(503, "SlowDown");
    },
    async (store, seen) => {
      await expect(store.put("x", bytes(5), { signal: abort.signal })).rejects.toThrow("no longer wanted");
      expect(seen.length).toBe(1);
    },
    { maxAttempts: 3, backoffMs: 3_600_000 },
  );
});

Deno.test("S3: a create whose first answer was lost knows its own object", () => {
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
  }, async (store, seen) => {
    expect(await store.put("x", bytes(5), { ifNoneMatch: true })).toMatchObject({ etag: "mine", size: 5 });
    expect(seen.map(({ method }) => method)).toEqual(["PUT", "PUT", "HEAD"]);
  });
});

Deno.test("S3: a create that another won after a lost answer is refused", () =>
  scripted(({ method }, index) => {
    if (index === 0) return errorXml(500, "InternalError");
    if (method === "PUT") return errorXml(412, "PreconditionFailed");
    return new Response(null, {
      headers: { etag: '"theirs"', "content-length": "5", "x-amz-meta-unmask-put": "another", ...DATED },
    });
  }, async (store) => {
    await expect(store.put("x", bytes(5), { ifNoneMatch: true })).rejects.toThrow(ObjectExistsError);
  }));

Deno.test("S3: a read whose connection breaks goes on where it stopped", () => {
  const data = bytes(300_000);
  return scripted(({ headers }, index) => {
    const start = Number(/^bytes=(\d+)-/.exec(headers.get("range") ?? "")?.[1] ?? 0);
    const end = Math.min(data.length, index < 2 ? start + 100_000 : data.length);
    const body = new ReadableStream({
      start: (controller) => controller.enqueue(data.slice(start, end)),
      // Fewer bytes than promised: the server breaks the connection.
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
  }, async (store, seen) => {
    const got = await store.get("x");
    expect(same(await collect(got.body), data)).toBe(true);
    expect(seen.length).toBe(3);
    expect(seen[1].headers.get("if-match")).toBe('"e1"');
    expect(seen[1].headers.get("range")).toMatch(/^bytes=[1-9]\d*-299999$/);
  });
});

Deno.test("S3: a read that broke fails where the object was replaced meanwhile", () =>
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

Deno.test("S3: a read that stands still is taken up again", () => {
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
    async (store, seen) => {
      const { body } = await store.get("x");
      expect(same(await collect(body), data)).toBe(true);
      expect(seen.length).toBe(2);
    },
    { ...QUICK, idleTimeoutMs: 300 },
  );
});

Deno.test("S3: a server that ignores ranges is found out", () =>
  scripted(
    () => new Response(bytes(100), { headers: { etag: '"e"', "content-length": "100", ...DATED } }),
    async (store) => {
      await expect(store.get("x", { range: { start: 5 } })).rejects.toThrow("does not support ranges");
    },
  ));

Deno.test("S3: an upload that S3 refuses at its end, inside a 200, is aborted", () =>
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
  }, async (store, seen) => {
    await expect(store.put("x", bytes(20 * 1024 * 1024))).rejects.toThrow("InternalError");
    expect(seen.map(({ method }) => method)).toEqual(["POST", "PUT", "PUT", "PUT", "POST", "DELETE"]);
    expect(seen.slice(1).every(({ url }) => url.searchParams.get("uploadId") === "id+/=1")).toBe(true);
    expect(new TextDecoder().decode(seen[4].body)).toMatch(/<PartNumber>1<\/PartNumber><ETag>(&quot;|")p1/);
  }));

Deno.test("S3: lists page by page, and leaves out what is no object of ours", () =>
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
  }, async (store, seen) => {
    const modifiedAt = new Date("2026-10-21T07:28:00Z");
    expect(await all(store, "")).toEqual([
      { key: "a", size: 3, etag: "e", modifiedAt },
      { key: "007", size: 3, etag: "e", modifiedAt },
    ]);
    expect(seen[0].url.searchParams.get("prefix")).toBe("pre/fix/");
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
  name: "S3: lists more than a page of objects of a real server in order",
  ignore,
  fn: async () => {
    await using server = await startVersitygw();
    const store = openStore({ url: `s3://${server!.bucket}/p`, s3: server!.access });
    const keys = Array.from({ length: 1050 }, (_, i) => `n/${i}`);
    for (let at = 0; at < keys.length; at += 50) {
      await Promise.all(keys.slice(at, at + 50).map((key) => store.put(key, bytes(1))));
    }
    expect((await all(store, "n/")).map(({ key }) => key)).toEqual([...keys].sort());
  },
});
