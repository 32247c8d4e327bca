import { expect } from "expect";
import { describeSettings, readSettings } from "../../cli/settings/settings.ts";
import { SETTINGS } from "../../cli/settings/table.ts";

const read = (variables: Record<string, string>) => readSettings((name) => variables[name]);

Deno.test("settings have defaults on this machine, and follow the environment", () => {
  expect(read({ UNMASK_DATA: "/tmp/x" })).toMatchObject({
    port: 8000,
    host: "127.0.0.1",
    hosts: [],
    dataDir: "/tmp/x",
    storage: { url: "file:/tmp/x/objects" },
    kv: "/tmp/x/kv.sqlite3",
    slots: 1,
    compute: {
      backend: "auto",
      threads: navigator.hardwareConcurrency,
      maxBytes: 16 * 2 ** 30,
      tensorflow: "file:///tmp/x/tensorflow",
      vectors: "auto",
      vectorsFile: "/tmp/x/vectors.json",
    },
    datasets: { maxSplitBytes: 8 * 2 ** 30, downloadsDir: "/tmp/x/downloads", mirrors: {} },
    outageWaitMs: 600_000,
    outageLimitMs: 86_400_000,
    modelCacheBytes: 2 ** 30,
    startMs: 60_000,
    stopMs: 8_000,
    maxCheckpointBytes: 2 ** 40,
    maxTrainingBytes: 16 * 2 ** 30,
    maxWeightsBytes: 16 * 2 ** 30,
    sweepMs: 120_000,
  });
  expect(
    read({
      UNMASK_PORT: "0",
      UNMASK_KV: "http://localhost:4512",
      DENO_KV_ACCESS_TOKEN: "secret",
      UNMASK_SLOTS: "",
      UNMASK_THREADS: "3",
      UNMASK_VECTORS: "256",
      UNMASK_MNIST_MIRRORS: "http://a/, https://b/c",
    }),
  ).toMatchObject({
    port: 0,
    kv: "http://localhost:4512",
    slots: 1,
    compute: { threads: 3, vectors: "256" },
    datasets: { mirrors: { mnist: ["http://a/", "https://b/c"] } },
  });
});

const BUCKET = { UNMASK_STORE: "s3://bucket/p", AWS_ACCESS_KEY_ID: "key", AWS_SECRET_ACCESS_KEY: "hidden" };

Deno.test("the access to a bucket is read from the variables of AWS tools", () => {
  const keys = { accessKeyId: "key", secretAccessKey: "hidden" };
  expect(read(BUCKET).storage).toEqual({ url: "s3://bucket/p", s3: { region: "us-east-1", ...keys } });
  const variables = {
    AWS_REGION: "",
    AWS_DEFAULT_REGION: "eu-west-1",
    AWS_ENDPOINT_URL: "http://other",
    AWS_ENDPOINT_URL_S3: "http://127.0.0.1:9000",
    AWS_SESSION_TOKEN: "token",
  };
  expect(read({ ...BUCKET, ...variables }).storage.s3).toEqual({
    ...keys,
    region: "eu-west-1",
    endpoint: "http://127.0.0.1:9000",
    sessionToken: "token",
  });
  // They are ignored while no bucket is used.
  expect(read({ AWS_ENDPOINT_URL: "wrong" }).storage.s3).toBeUndefined();
});

Deno.test("a setting of S3 that is missing or wrong is named, without secrets", () => {
  for (const name of ["AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"]) {
    expect(() => read({ ...BUCKET, [name]: "" })).toThrow(
      `${name} must be set: UNMASK_STORE is s3://bucket/p`,
    );
  }
  for (const value of ["localhost:9000", "ftp://host", "http://key:hidden@host", "http://host?x=1"]) {
    let message = "";
    try {
      read({ ...BUCKET, AWS_ENDPOINT_URL: value });
    } catch (error) {
      message = (error as Error).message;
    }
    expect(message).toContain("AWS_ENDPOINT_URL must be an http or https URL");
    expect(message).not.toContain("hidden");
  }
  const both = { AWS_ENDPOINT_URL: "http://fine", AWS_ENDPOINT_URL_S3: "wrong" };
  expect(() => read({ ...BUCKET, ...both })).toThrow("AWS_ENDPOINT_URL_S3 must be");
});

Deno.test("a wrong setting is named, with what would be right", () => {
  const wrong = {
    UNMASK_PORT: "80a",
    UNMASK_SLOTS: "0",
    UNMASK_BACKEND: "cuda",
    UNMASK_VECTORS: "512",
    UNMASK_THREADS: "0",
    UNMASK_STORE: "ftp://x",
    UNMASK_MODEL_CACHE_BYTES: "-1",
    UNMASK_OUTAGE_WAIT_SECONDS: "-5",
    UNMASK_OUTAGE_LIMIT_HOURS: "0",
    UNMASK_MAX_DATASET_BYTES: "8GiB",
    UNMASK_HOST: "a b",
    UNMASK_HOSTS: "http://x",
    UNMASK_FETCH_HOSTS: "huggingface.co, a/b",
    UNMASK_KV: "ftp://x",
    UNMASK_START_SECONDS: "-1",
    UNMASK_STOP_SECONDS: "0",
    UNMASK_MAX_TRAINING_BYTES: "abc",
    UNMASK_MNIST_MIRRORS: "here",
    UNMASK_FASHION_MNIST_MIRRORS: "http://x,",
  };
  for (const [name, value] of Object.entries(wrong)) {
    expect(() => read({ [name]: value })).toThrow(new RegExp(`^${name} must be .*'${value}'`));
  }
  expect(() => read({ UNMASK_PORT: "70000" })).toThrow("0 to 65535");
});

Deno.test("accepted Host names: only loopback names on loopback, any name elsewhere, or the listed names", () => {
  expect(read({ UNMASK_HOST: "::1" }).hosts).toEqual([]);
  expect(read({ UNMASK_HOST: "0.0.0.0" }).hosts).toBe("any");
  expect(read({ UNMASK_HOST: "0.0.0.0", UNMASK_HOSTS: "Example.com, [::2]" }).hosts).toEqual([
    "example.com",
    "[::2]",
  ]);
  expect(read({ UNMASK_HOSTS: "*" }).hosts).toBe("any");
});

Deno.test("hosts of downloads: none, or the listed ones", () => {
  expect(read({}).fetchHosts).toBe(null);
  const https = { protocol: "https:", port: "" };
  expect(read({ UNMASK_FETCH_HOSTS: "huggingface.co, *.HF.co,http://models.lan:80 private," }).fetchHosts)
    .toEqual([
      { ...https, hostname: "huggingface.co", isPrivate: false },
      { ...https, hostname: "*.hf.co", isPrivate: false },
      { protocol: "http:", port: "", hostname: "models.lan", isPrivate: true },
    ]);
});

/** The text of a default in the documentation. */
function documentedDefault(value: string): string {
  const bytes = Number(value);
  for (const [unit, size] of [["TiB", 2 ** 40], ["GiB", 2 ** 30]] as const) {
    if (bytes >= size) return `${bytes / size} ${unit}`;
  }
  return value;
}

Deno.test("the help text has every setting with its default", () => {
  const lines = describeSettings().split("\n");
  expect(lines.filter((line) => /^ {2}\S/.test(line)).map((line) => line.trim())).toEqual(
    Object.keys(SETTINGS),
  );
  expect(lines).toContain("      Folder for local data. Default: .unmask");
});

Deno.test("the documentation has every setting with its default", async () => {
  const files = ["docs/operations.md", "docs/tensorflow.md"];
  const texts = files.map((file) => Deno.readTextFile(new URL(`../../${file}`, import.meta.url)));
  const documents = (await Promise.all(texts)).join("\n");
  const rows = documents.split("\n").filter((line) => line.startsWith("| `UNMASK_"));
  for (const [name, entry] of Object.entries(SETTINGS)) {
    expect({ name, isDocumented: documents.includes(`\`${name}\``) }).toEqual({ name, isDocumented: true });
    if (!name.startsWith("UNMASK_")) continue;
    const row = rows.find((row) => row.split("|")[1].includes(`\`${name}\``));
    expect({ name, row }).toEqual({ name, row: expect.any(String) });
    if (entry.default !== null) expect(row!.split("|")[2]).toContain(documentedDefault(entry.default));
  }
  const documented = rows.flatMap((row) => row.split("|")[1].match(/UNMASK_\w+/g)!);
  expect(documented.filter((name) => !Object.hasOwn(SETTINGS, name))).toEqual([]);
});
