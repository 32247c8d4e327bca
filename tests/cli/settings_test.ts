import { expect } from "expect";
import { lossChart, ticks } from "../../cli/lossChart.ts";
import { readSettings } from "../../cli/settings.ts";

const read = (variables: Record<string, string>) => readSettings((name) => variables[name]);

Deno.test("settings have defaults on this machine, and follow the environment", () => {
  expect(read({ UNMASK_DATA: "/tmp/x" })).toEqual({
    port: 8000,
    host: "127.0.0.1",
    dataDir: "/tmp/x",
    storeUrl: "file:/tmp/x/objects",
    kv: "/tmp/x/kv.sqlite3",
    slots: 1,
    compute: {
      backend: "auto",
      threads: navigator.hardwareConcurrency,
      tensorflow: "file:///tmp/x/tensorflow",
    },
    outageWaitMs: 600_000,
    outageLimitMs: 86_400_000,
    modelCacheBytes: 2 ** 30,
    datasets: { maxSplitBytes: 8 * 2 ** 30, downloadsDir: "/tmp/x/downloads", mirrors: {} },
    hosts: [],
    startMs: 60_000,
    stopMs: 8_000,
    maxCheckpointBytes: 2 ** 40,
    sweepSeconds: 120,
    maxTrainingBytes: 4 * 2 ** 30,
  });
  expect(
    read({
      UNMASK_PORT: "0",
      UNMASK_STORE: "s3://bucket/p",
      UNMASK_KV: "http://localhost:4512",
      DENO_KV_ACCESS_TOKEN: "secret",
      UNMASK_SLOTS: "",
      UNMASK_THREADS: "3",
    }),
  )
    .toMatchObject({
      port: 0,
      storeUrl: "s3://bucket/p",
      kv: "http://localhost:4512",
      slots: 1,
      compute: { threads: 3 },
    });
});

Deno.test("a wrong setting is named, with what would be right", () => {
  const wrong = {
    UNMASK_PORT: "80a",
    UNMASK_SLOTS: "0",
    UNMASK_BACKEND: "cuda",
    UNMASK_THREADS: "0",
    UNMASK_STORE: "ftp://x",
    UNMASK_MODEL_CACHE_BYTES: "-1",
    UNMASK_OUTAGE_WAIT_SECONDS: "-5",
    UNMASK_OUTAGE_LIMIT_HOURS: "0",
    UNMASK_MAX_DATASET_BYTES: "8GiB",
    UNMASK_HOST: "a b",
    UNMASK_HOSTS: "http://x",
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

Deno.test("a loss chart has a point for each step and a dot for each epoch, inside its frame", () => {
  const steps = Array.from({ length: 50 }, (_, i) => ({ step: i + 1, loss: 1 / (i + 1) }));
  const svg = lossChart("a <title> & more", steps, [{ step: 25, loss: 0.1 }, { step: 50, loss: 0.05 }]);
  expect(svg.match(/<circle /g)!.length).toBe(2);
  const path = /<path d="([^"]+)"/.exec(svg)![1];
  const points = [...path.matchAll(/[ML]([\d.]+) ([\d.]+)/g)].map(([, x, y]) => [Number(x), Number(y)]);
  expect(points.length).toBe(50);
  const [width, height] = /viewBox="0 0 (\d+) (\d+)"/.exec(svg)!.slice(1).map(Number);
  for (const [x, y] of points) {
    expect(x >= 0 && x <= width && y >= 0 && y <= height).toBe(true);
  }
  expect(points.every(([x, y], i) => i === 0 || (x > points[i - 1][0] && y > points[i - 1][1]))).toBe(true);
  expect(svg).not.toContain("<title>");
  expect(() => lossChart("", [], [])).toThrow("without a step");
  expect(ticks(0, 1, 5)).toEqual([0, 0.2, 0.4, 0.6000000000000001, 0.8, 1]);
});
