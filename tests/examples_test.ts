import { expect } from "expect";
import { run } from "./setup/command.ts";

Deno.test("the examples in the doc comments of model/ run", async () => {
  const cwd = new URL("../", import.meta.url).pathname;
  const { code, output } = await run(Deno.execPath(), ["test", "--doc", "--no-check", "-A", "model"], {
    cwd,
    env: { NO_COLOR: "1" },
  });
  expect({ code, output: code === 0 ? "" : output }).toEqual({ code: 0, output: "" });
  const [, passed] = /ok \| (\d+) passed/.exec(output)!;
  expect(Number(passed)).toBeGreaterThan(20);
});
