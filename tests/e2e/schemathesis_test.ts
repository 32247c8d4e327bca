import { expect } from "expect";
import { dirname } from "node:path";
import { type HttpServer, listen } from "../../api/server/listen.ts";
import { storeConfusion } from "../../jobs/artifacts/confusion.ts";
import { type JobCheckpoint, TestApi } from "../api/fixtures.ts";
import { run } from "../setup/command.ts";
import { findPython, OPENAPI_TOOLS } from "../setup/python.ts";

const python = await findPython(OPENAPI_TOOLS);
const FOLDER = new URL("schemathesis/", import.meta.url);

/** A server with a stored MAE and a stored classifier. */
class TestServer implements AsyncDisposable {
  private constructor(
    readonly api: TestApi,
    readonly server: HttpServer,
    readonly mae: JobCheckpoint,
    readonly classifier: JobCheckpoint,
  ) {}

  static async start(): Promise<TestServer> {
    // No runner claims the jobs, so a request that waits for a job waits for its whole time.
    const api = await TestApi.open({ waitSeconds: 1 });
    const mae = await api.model(), classifier = await api.model("classifier");
    const { jobId, id, classNames } = classifier;
    const source = {
      jobId,
      checkpoint: id,
      dataset: "digits",
      split: "test",
      classNames: classNames!,
    } as const;
    const classes = classNames!.length;
    await storeConfusion(api.objects, source, { classes, counts: new Uint32Array(classes ** 2) });
    const server = await listen(api.fetch, { port: 0, host: "127.0.0.1" });
    return new TestServer(api, server, mae, classifier);
  }

  /** Runs Schemathesis on the server. Throws its output if it finds a failure. */
  async runSchemathesis(config: string, ...args: readonly string[]): Promise<void> {
    const cwd = await Deno.makeTempDir();
    const path = `${cwd}/schemathesis.toml`;
    await Deno.writeTextFile(path, await Deno.readTextFile(new URL("schemathesis.toml", FOLDER)) + config);
    const { code, output } = await run(
      `${dirname(python!)}/schemathesis`,
      ["--config-file", path, "run", `${this.server.url}/openapi.json`, "--checks", "all", ...args],
      {
        cwd,
        env: {
          NO_COLOR: "1",
          SCHEMATHESIS_HOOKS: new URL("hooks.py", FOLDER).pathname,
          MAE_JOB: this.mae.jobId,
          MAE_CHECKPOINT: this.mae.id,
          CLASSIFIER_JOB: this.classifier.jobId,
          CLASSIFIER_CHECKPOINT: this.classifier.id,
        },
      },
    );
    if (code !== 0) throw new Error(output);
    await Deno.remove(cwd, { recursive: true });
  }

  /** Returns the responses so far, as `METHOD PATH STATUS`. */
  async responses(): Promise<Set<string>> {
    const text = await (await this.api.send("/metrics")).text();
    const rows = text.matchAll(
      /^unmask_http_requests_total\{method="(\w+)",route="([^"]+)",status="(\d+)"\}/gm,
    );
    return new Set([...rows].map(([, method, route, status]) => `${method} ${route} ${status}`));
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server.close(1_000);
    await this.api[Symbol.asyncDispose]();
  }
}

Deno.test({ name: "Schemathesis finds no failure", ignore: python === null }, async (t) => {
  await using server = await TestServer.start();
  const { jobId, id } = server.classifier;
  const examples = ["--max-examples", "30"];

  await t.step("for requests to the stored models", async () => {
    const withId = (path: string, id: string) =>
      `\n[[operations]]\ninclude-path-regex = "^/v1/${path}"\nparameters = { id = "${id}" }\n`;
    // The settings of one operation are not merged, so these repeat what `schemathesis.toml` accepts.
    const accepts =
      '\n[operations.checks]\npositive_data_acceptance.expected-statuses = ["2xx", 304, 404, 409, 422]\n';
    const config = withId("jobs/", jobId) + withId("checkpoints/", id) + accepts;
    const only = ["--include-path-regex", "\\{id\\}|/v1/[cer].*s$", "--exclude-method", "DELETE"];
    await server.runSchemathesis(config, ...examples, ...only);
  });

  // This run also deletes the models.
  await t.step("for the whole API", () => server.runSchemathesis("", ...examples));

  await t.step("and its requests reached stored models", async () => {
    const responses = await server.responses();
    for (
      const expected of [
        "POST /v1/jobs 201",
        "DELETE /v1/jobs/{id} 204",
        "POST /v1/reconstructions 200",
        "POST /v1/classifications 200",
        "POST /v1/embeddings 200",
        "GET /v1/checkpoints/{id}/content 200",
        "GET /v1/jobs/{id}/results/confusion.json 200",
      ]
    ) {
      expect([...responses]).toContain(expected);
    }
    expect([...responses].filter((response) => / 5\d\d$/.test(response))).toEqual([]);
  });
});
