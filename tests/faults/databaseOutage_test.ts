import { expect } from "expect";
import { pause } from "../../data/backoff.ts";
import { KvCircuit } from "../../jobs/store/kv/circuit.ts";
import { DatabaseUnavailableError } from "../../jobs/store/kv/errors.ts";
import { guardedKv, openDatabase, sinceOutage } from "../../jobs/store/kv/open.ts";
import { findDenokv, startDenokv } from "../setup/denokv.ts";
import { withOverrides } from "../setup/overrides.ts";

const program = await findDenokv();

Deno.test({
  name: "in an outage of denokv calls fail, immediately after the first one, and the log has two lines",
  ignore: program === null,
  async fn() {
    await using server = (await startDenokv())!;
    for (const [name, value] of Object.entries(server.env)) Deno.env.set(name, value);
    const lines: string[] = [];
    const kv = await openDatabase(server.url, { log: (line) => lines.push(line), callMs: 1000 });
    await kv.set(["a"], { typed: new Float64Array([1, 2]), count: 3n });
    await server.signal("SIGKILL");
    expect(sinceOutage(kv)).toBe(Infinity);
    const calls = [
      () => kv.get(["a"]),
      () => kv.getMany([["a"]]),
      () => kv.list({ prefix: ["a"] }).next(),
      () => kv.atomic().set(["b"], 1).commit(),
    ];
    for (const call of calls) await expect(call()).rejects.toBeInstanceOf(DatabaseUnavailableError);
    await expect(openDatabase(server.url)).rejects.toBeInstanceOf(DatabaseUnavailableError);
    expect(lines.length).toBe(1);
    expect(sinceOutage(kv)).toBe(0);

    await server.restart();
    const value = await retryUntilAvailable(() => kv.get(["a"]));
    expect(value.value).toEqual({ typed: new Float64Array([1, 2]), count: 3n });
    expect(lines.length).toBe(2);
    expect(lines[1]).toMatch(/^The database is available again after/);

    // A suspended server: the connection is open, but no answer arrives.
    await server.signal("SIGSTOP");
    const results = await Promise.allSettled(calls.map((call) => call()));
    for (const { status } of results) expect(status).toBe("rejected");
    await server.signal("SIGCONT");
    await retryUntilAvailable(() => kv.get(["a"]));
    expect(lines.length).toBe(4);
    kv.close();
  },
});

async function retryUntilAvailable<T>(call: () => Promise<T>): Promise<T> {
  while (true) {
    try {
      return await call();
    } catch (error) {
      if (!(error instanceof DatabaseUnavailableError)) throw error;
      await pause(20);
    }
  }
}

Deno.test("in an outage only one probe at a time reaches the database", async () => {
  let now = 0, calls = 0;
  const probeResult = Promise.withResolvers<never>();
  const circuit = new KvCircuit({ local: false, log: () => {}, clock: () => now });
  const call = () => {
    calls++;
    return calls === 1 ? Promise.reject(new TypeError("connection refused")) : probeResult.promise;
  };
  await expect(circuit.call("read", call)).rejects.toMatchObject({ outageMs: 0 });
  now += 60_000;
  const probe = circuit.call("read", call);
  const others = Array.from({ length: 100 }, () => circuit.call("write", call));
  for (const other of others) await expect(other).rejects.toMatchObject({ outageMs: 60_000 });
  expect(calls).toBe(2);
  probeResult.reject(new Error("not found"));
  await expect(probe).rejects.toThrow("not found");
  expect(await circuit.call("read", () => Promise.resolve("answered"))).toBe("answered");
});

for (
  const message of ["database or disk is full", "disk I/O error", "attempt to write a readonly database"]
) {
  Deno.test(`a local database with the error "${message}" is unavailable for writes and available for reads`, async () => {
    const memory = await Deno.openKv(":memory:");
    let isFull = true;
    const faulty = withOverrides(memory, {
      set: (key: Deno.KvKey, value: unknown) =>
        isFull ? Promise.reject(new TypeError(message)) : memory.set(key, value),
    });
    const lines: string[] = [];
    const kv = guardedKv(faulty, new KvCircuit({ local: true, log: (line) => lines.push(line) }));
    for (let i = 0; i < 3; i++) {
      await expect(kv.set(["a"], i)).rejects.toBeInstanceOf(DatabaseUnavailableError);
      expect((await kv.get(["a"])).value).toBe(null);
    }
    expect(lines).toEqual([expect.stringContaining(message)]);
    isFull = false;
    await retryUntilAvailable(() => kv.set(["a"], 7));
    expect((await kv.get(["a"])).value).toBe(7);
    expect(lines.length).toBe(2);
    kv.close();
  });
}

Deno.test("an answer that arrived while the thread was busy beyond the time limit is not an outage", async () => {
  const kv = guardedKv(
    await Deno.openKv(":memory:"),
    new KvCircuit({ local: true, callMs: 50, log: (line) => lines.push(line) }),
  );
  const lines: string[] = [];
  const write = kv.set(["a"], 1);
  for (const end = performance.now() + 200; performance.now() < end;);
  expect((await write).ok).toBe(true);
  expect(lines).toEqual([]);
  kv.close();
});
