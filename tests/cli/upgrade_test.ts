import { expect } from "expect";
import { startService } from "../../cli/service/service.ts";
import { readSettings } from "../../cli/settings/settings.ts";
import { storeFixture } from "../jobs/fixtures.ts";

Deno.test("a service completes the indexes of an earlier version's database, once", async () => {
  const folder = await Deno.makeTempDir();
  try {
    const env: Record<string, string> = { UNMASK_DATA: folder, UNMASK_PORT: "0" };
    const settings = readSettings((name) => env[name]);
    const kv = await Deno.openKv(settings.kv);
    const { queued } = storeFixture(kv);
    for (let i = 0; i < 12; i++) await queued({ dataset: "mnist" });
    await kv.delete(["job_count", "queued"]);
    for await (const { key } of kv.list({ prefix: ["dataset_job"] })) await kv.delete(key);
    for await (const { key, value } of kv.list<Record<string, unknown>>({ prefix: ["job"] })) {
      const { indexVersion: _, ...old } = value;
      await kv.set(key, old);
    }
    kv.close();

    const messages: string[] = [];
    const indexed = Promise.withResolvers<void>();
    const first = await startService(settings, { api: true, runner: false }, (message) => {
      messages.push(message);
      indexed.resolve();
    });
    await indexed.promise;
    expect(messages).toEqual(["Indexed 12 jobs of an earlier version's database"]);
    const metrics = await (await fetch(`${first.url}/metrics`)).text();
    expect(metrics).toContain('unmask_jobs{status="queued"} 12\n');
    expect(metrics).toContain("unmask_queue_depth 12\n");
    await first.stop();

    const second = await startService(settings, { api: true, runner: false }, (message) => {
      messages.push(message);
    });
    expect(await (await fetch(`${second.url}/metrics`)).text()).toContain(
      'unmask_jobs{status="queued"} 12\n',
    );
    await second.stop();
    expect(messages).toHaveLength(1);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
});
