import { expect } from "expect";
import { dirname } from "node:path";
import { startProcess } from "../../cli/process.ts";
import { run, runPackage } from "../setup/command.ts";
import { findPython, OPENAPI_TOOLS } from "../setup/python.ts";

const REDOCLY = "@redocly/cli@2.77.0", TYPES = "openapi-typescript@7.13.0";
const python = await findPython(OPENAPI_TOOLS);

Deno.test({
  name: "the OpenAPI document passes validators, and generated clients work",
  ignore: python === null,
  async fn(t) {
    const folder = await Deno.makeTempDir();
    const cwd = folder;
    const document = `${folder}/openapi.json`;
    const tools = dirname(python!);
    await using service = await startProcess("start", `${folder}/data`);
    await Deno.writeTextFile(document, await (await service.client.send("/openapi.json")).text());

    await t.step("openapi-spec-validator reports no error", async () => {
      const outcome = await run(`${tools}/openapi-spec-validator`, [document], { cwd });
      expect(outcome).toEqual({ code: 0, output: `${document}: OK\n` });
    });

    await t.step("redocly's recommended rules report no error", async () => {
      const env = { REDOCLY_TELEMETRY: "off", REDOCLY_SUPPRESS_UPDATE_NOTICE: "true" };
      const args = ["lint", "--extends", "recommended", "--format", "json", document];
      const { code, output } = await runPackage(REDOCLY, args, { cwd, env });
      const report = JSON.parse(output.slice(output.indexOf("{"), output.lastIndexOf("}") + 1));
      expect({ code, ...report }).toMatchObject({
        code: 0,
        problems: [],
        totals: { errors: 0, warnings: 0 },
      });
    });

    await t.step("openapi-typescript generates correct types", async () => {
      const types = `${folder}/types.ts`;
      // Without the flag, request fields with a default would be required.
      const { code, output } = await runPackage(TYPES, [
        document,
        "-o",
        types,
        "--default-non-nullable",
        "false",
      ], { cwd });
      expect({ code, output }).toMatchObject({ code: 0, output: expect.not.stringMatching(/warn|error/i) });
      await Deno.writeTextFile(
        `${folder}/use.ts`,
        `import type { components, operations } from "./types.ts";
type Schemas = components["schemas"];
export const request: Schemas["JobRequest"] = {
  kind: "finetune",
  job: "job_01JD0000000000000000000000",
  dataset: { id: "digits", size: 64 },
};
// @ts-expect-error -- one of checkpoint, job and model is needed
export const nothing: Schemas["FinetuneRequest"] = { kind: "finetune", dataset: "digits" };
export type Created = operations["createJob"]["responses"][201]["content"]["application/json"];
export const status = (job: Created): "queued" | "running" | "succeeded" | "failed" | "cancelled" =>
  job.status;
`,
      );
      const checked = await run(Deno.execPath(), ["check", "--quiet", "--no-config", "--no-lock", "use.ts"], {
        cwd,
      });
      expect(checked).toEqual({ code: 0, output: "" });
    });

    await t.step("openapi-python-client generates a client that can train a model", async () => {
      const generated = await run(
        `${tools}/openapi-python-client`,
        [
          "generate",
          "--path",
          document,
          "--meta",
          "none",
          "--output-path",
          `${folder}/unmask_client`,
          "--fail-on-warning",
        ],
        // Its generator calls ruff, which is in the same environment.
        { cwd, env: { PATH: `${tools}:${Deno.env.get("PATH")}` } },
      );
      expect(generated).toMatchObject({
        code: 0,
        output: expect.not.stringMatching(/warning|unable|skipping/i),
      });
      const script = new URL("generated_client.py", import.meta.url).pathname;
      const { code, output } = await run(python!, [script, service.url], {
        cwd,
        env: { PYTHONPATH: folder },
      });
      if (code !== 0) throw new Error(output);
      expect(JSON.parse(output)).toEqual({
        job: expect.stringMatching(/^job_/),
        loss: expect.any(Number),
        steps: [1, 2, 3, 4],
        tensors: expect.any(Number),
        images: 2,
      });
    });

    expect(await service.end("SIGTERM")).toMatchObject({ code: 0 });
    await Deno.remove(folder, { recursive: true });
  },
});
