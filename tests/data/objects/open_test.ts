import { resolve } from "node:path";
import { expect } from "expect";
import { openStore } from "../../../data/objects/open.ts";

const s3 = { region: "us-east-1", accessKeyId: "key", secretAccessKey: "hidden" };

const open = (url: string) => openStore({ url, s3 });

Deno.test("opens folders by relative and absolute paths and by file URLs", () => {
  expect(open("file:/var/lib/unmask").url).toBe("file:/var/lib/unmask");
  expect(open("file:data/store").url).toBe(`file:${resolve("data/store")}`);
  expect(open("file:///tmp/my%20store").url).toBe("file:/tmp/my store");
});

Deno.test("opens buckets with and without a prefix", () => {
  expect(open("s3://bucket").url).toBe("s3://bucket");
  expect(open("s3://bucket/").url).toBe("s3://bucket");
  expect(open("s3://my.bucket-1/unmask/v1/").url).toBe("s3://my.bucket-1/unmask/v1");
});

for (
  const [url, message] of [
    ["", "must be file:PATH or s3://BUCKET/PREFIX: current value is ''"],
    ["/var/lib/unmask", "must be file:PATH or s3://BUCKET/PREFIX"],
    ["gs://bucket", "must be file:PATH or s3://BUCKET/PREFIX: current value is 'gs://bucket'"],
    [
      "https://user:hidden@host/x",
      "must be file:PATH or s3://BUCKET/PREFIX: current value is 'https://…@host/x'",
    ],
    ["file:", "must be followed by a path"],
    ["file://host/x", "must be file:PATH or s3://BUCKET/PREFIX, not 'file://host/x'"],
    ["s3:bucket", "must be followed by a bucket's name"],
    ["s3://", "must be followed by a bucket's name"],
    ["s3://B", "must be followed by a bucket's name"],
    ["s3://key:hidden@bucket", "must be followed by a bucket's name"],
    ["s3://bucket?region=x", "must be followed by a bucket's name"],
    ["s3://bucket//x", "The prefix in s3://bucket//x must be segments"],
    ["s3://bucket/../x", "must be segments"],
    ["s3://bucket/a b", "must be segments"],
  ]
) {
  Deno.test(`refuses '${url}' as an object store`, () => {
    const error = catchError(() => open(url));
    expect(error).toBeInstanceOf(TypeError);
    expect(error.message).toContain(message);
    expect(error.message).not.toContain("hidden");
  });
}

Deno.test("a bucket needs access keys", () => {
  expect(() => openStore({ url: "s3://bucket" })).toThrow("The access keys for s3://bucket are missing");
});

function catchError(fn: () => unknown): Error {
  try {
    fn();
  } catch (error) {
    return error as Error;
  }
  throw new Error("No error was thrown");
}
