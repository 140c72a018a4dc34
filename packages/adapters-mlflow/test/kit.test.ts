import { randomUUID } from "node:crypto";
import { describeKit, type TrackingFixture, trackingKit } from "@modelgate/core/testing";
import { beforeAll, describe, it } from "vitest";
import { requireService } from "../../adapters-storage/test/support/services.ts";
import { mlflowTracking } from "../src/mlflow-tracking.ts";
import { Between } from "./support/between.ts";
import { MlflowServer, mlModel } from "./support/mlflow-server.ts";

const url = requireService("MLFLOW_URL") ?? "";

describe.skipIf(url === "")("on a real MLflow", () => {
  const server = new MlflowServer(url);
  let experiment = "";

  beforeAll(async () => {
    experiment = await server.experiment();
  });

  async function open(): Promise<TrackingFixture> {
    const proxy = await Between.open(url);
    const tracking = mlflowTracking({ url: proxy.url, timeoutMs: 8000 });
    const ended = { succeeded: "FINISHED", failed: "FAILED" } as const;
    const withoutModel = await server.run({ experiment });
    return {
      tracking,
      async add(type) {
        const runId = await server.run({ experiment });
        const root = await server.rootOf(runId);
        await server.write(root, "model/MLmodel", mlModel(runId));
        if (type !== undefined) {
          await server.register("kit", `${root}/model`, { runId, tags: { model_type: type } });
        }
        return { uri: `runs:/${runId}/model`, runId, type };
      },
      metadataOf: ({ runId }) => ({
        uuid: `uuid-of-${runId}`,
        runId,
        artifactPath: "model",
        createdAt: "2024-01-02 03:04:05.678901",
        trackerVersion: "2.22.5",
        signature: {
          inputs: '[{"type": "string", "required": true}]',
          outputs: '[{"type": "string", "required": true}]',
          params: null,
        },
        flavors: {
          python_function: { loader_module: "mlflow.pyfunc.model", python_version: "3.11.7", code: null },
        },
      }),
      async addRun({ state = "active", endedAtMs, ...sample }) {
        const id = await server.run(sample);
        if (state !== "active") await server.end(id, ended[state], endedAtMs);
        return id;
      },
      endRun: (id, state) => server.end(id, ended[state]),
      unknownRuns: [randomUUID().replaceAll("-", ""), "0", withoutModel],
      unknownUris: [
        `runs:/${randomUUID().replaceAll("-", "")}/model`,
        `runs:/${withoutModel}/model`,
        `models:/none-${randomUUID()}/1`,
        "models:/kit/99999999",
        "models:/kit/99999999999999999999",
        "models:/kit/NoStage",
        "models:/kit@nobody",
        `models:/m-${randomUUID().replaceAll("-", "")}`,
        "mlflow-artifacts:/0/nothing/model",
        "s3://bucket/nothing",
        `s3://bucket/0/${withoutModel}/artifacts/model`,
        "https://example.org/model.zip",
        "file:///etc/passwd",
        "dbfs:/nothing",
      ],
      async interrupt(meanwhile) {
        await proxy.cut();
        await meanwhile();
        await proxy.listen();
      },
      async close() {
        await tracking.close();
        await proxy.cut();
      },
    };
  }

  // Each test has a tracking of its own, and most of the time the server is waited for.
  describeKit({ describe, it: it.concurrent }, trackingKit, "MLflow", open);
});
