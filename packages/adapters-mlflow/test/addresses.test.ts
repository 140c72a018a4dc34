import { randomUUID } from "node:crypto";
import type { Tracking } from "@modelgate/core";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { requireService } from "../../adapters-storage/test/support/services.ts";
import { mlflowTracking } from "../src/mlflow-tracking.ts";
import { MlflowServer, mlModel } from "./support/mlflow-server.ts";

const url = requireService("MLFLOW_URL") ?? "";

describe.skipIf(url === "")("models on a real MLflow", () => {
  const server = new MlflowServer(url);
  const name = `a model, é ${randomUUID()}`;
  let tracking: Tracking;
  let experiment: string;
  let runId: string;
  let root: string;
  let isNew = false;

  beforeAll(async () => {
    tracking = mlflowTracking({ url });
    isNew = Number.parseInt(await server.version(), 10) >= 3;
    experiment = await server.experiment();
    runId = await server.run({ experiment });
    root = await server.rootOf(runId);
    await server.write(root, "model/MLmodel", mlModel(runId));
    await server.register(name, `${root}/model`, { runId, tags: { model_type: "medcat_umls" } });
    await server.register(name, `runs:/${runId}/model`, { runId });
    await server.post("registered-models/alias", { name, alias: "chosen", version: "1" });
    await server.post("model-versions/transition-stage", { name, version: "1", stage: "Production" });
  });
  afterAll(() => tracking?.close());

  /** A run with folders among its artifacts. */
  async function runWith(
    folders: readonly string[],
    tags: Readonly<Record<string, string>> = {},
  ): Promise<string> {
    const id = await server.run({ experiment, tags });
    for (const folder of folders) await server.write(await server.rootOf(id), `${folder}/file`, "x");
    return id;
  }

  describe("an address", () => {
    const forms: readonly (readonly [string, () => string])[] = [
      ["runs:/run/path", () => `runs:/${runId}/model`],
      ["models:/name/number", () => `models:/${name}/1`],
      ["models:/name/number whose source is another address", () => `models:/${name}/2`],
      ["models:/name/Stage", () => `models:/${name}/Production`],
      ["models:/name/stage in small letters", () => `models:/${name}/production`],
      ["models:/name/latest", () => `models:/${name}/latest`],
      ["models:/name@alias", () => `models:/${name}@chosen`],
      ["mlflow-artifacts:/path", () => `${root}/model`],
      ["mlflow-artifacts://host/path", () => `${root}/model`.replace(":/", `://${new URL(url).host}/`)],
      [
        "s3://bucket/…/run/artifacts/path",
        () => `s3://cms-model-bucket/${experiment}/${runId}/artifacts/model`,
      ],
      [
        "gs://…, as any store that the server reads",
        () => `gs://b/p/${experiment}/${runId}/artifacts/model/`,
      ],
    ];

    it.each(forms)("is read: %s", async (_form, uri) => {
      const found = await tracking.find(uri());
      expect(found).toEqual({ uri: uri(), runId, type: "medcat_umls" });
      const metadata = await tracking.describe(uri());
      expect(metadata).toMatchObject({ uuid: `uuid-of-${runId}`, runId, artifactPath: "model" });
    });

    const nowhere: readonly (readonly [string, () => string])[] = [
      ["another server's artifacts", () => `${root}/model`.replace(":/", "://elsewhere.example:5000/")],
      ["a store's folder of another experiment", () => `s3://b/77777/${runId}/artifacts/model`],
      ["upwards", () => `runs:/${runId}/model/../model`],
      ["upwards, encoded", () => `mlflow-artifacts:/x/%2e%2e/${experiment}/${runId}/artifacts/model`],
      ["a folder without a document", () => `runs:/${runId}/models`],
      ["a stage that nothing is in", () => `models:/${name}/Staging`],
    ];

    it.each(nowhere)("leads nowhere: %s", async (_form, uri) => {
      expect(await tracking.find(uri())).toBeUndefined();
      expect(await tracking.describe(uri())).toBeUndefined();
    });
  });

  describe("the type", () => {
    it("is the one that the run's own tag says, without a registered model", async () => {
      const id = await runWith(["model"], { "training.output.model_type": "medcat_deid" });
      await server.write(await server.rootOf(id), "model/MLmodel", mlModel(id));
      for (const uri of [`runs:/${id}/model`, `${await server.rootOf(id)}/model`]) {
        expect((await tracking.find(uri))?.type).toBe("medcat_deid");
      }
      expect((await tracking.resolve(id))?.type).toBe("medcat_deid");
    });

    it("is the version's own before that of its run", async () => {
      const id = await runWith(["model"], { "training.output.model_type": "of-the-run" });
      const version = await server.register(name, `runs:/${id}/model`, {
        runId: id,
        tags: { model_type: "of-the-version" },
      });
      expect((await tracking.find(`models:/${name}/${version}`))?.type).toBe("of-the-version");
    });

    it("of a version that names no run is that of the version that it was copied from", async () => {
      const version = await server.register(name, `models:/${name}/2`);
      expect(await tracking.find(`models:/${name}/${version}`)).toMatchObject({ runId, type: "medcat_umls" });
    });
  });

  describe("the model of a run", () => {
    it("is where the run's tag says", async () => {
      const id = await runWith(["model"], { "training.output.model_uri": "s3://bucket/one" });
      expect((await tracking.resolve(id))?.uri).toBe("s3://bucket/one");
    });

    it("is the folder of the name model, as an address of the run", async () => {
      const id = await runWith(["model", "other_model"]);
      expect((await tracking.resolve(id))?.uri).toBe(`runs:/${id}/model`);
    });

    it("is otherwise the only folder with model in its name", async () => {
      expect((await tracking.resolve(await runWith(["my_model_pack", "logs"])))?.uri).toMatch(
        /\/my_model_pack$/,
      );
      expect(await tracking.resolve(await runWith(["a_model", "b_model"]))).toBeUndefined();
      expect(await tracking.resolve(await runWith(["logs"]))).toBeUndefined();
    });
  });

  it("reads models that MLflow 3 logs for themselves", async ({ skip }) => {
    if (!isNew) skip("this server is older");
    const id = await server.run({ experiment, tags: { "training.output.model_type": "of-the-run" } });
    const logged = (await server.post("logged-models", {
      experiment_id: experiment,
      name: "model",
      source_run_id: id,
    })) as {
      readonly model: { readonly info: { readonly model_id: string; readonly artifact_uri: string } };
    };
    const { model_id: modelId, artifact_uri: uri } = logged.model.info;
    await server.write(uri, "MLmodel", mlModel(id));
    await server.post(`runs/outputs`, { run_id: id, models: [{ model_id: modelId, step: 0 }] });
    const version = await server.register(name, `models:/${modelId}`, { runId: id, modelId });
    const addresses = [
      `models:/${modelId}`,
      `models:/${name}/${version}`,
      `runs:/${id}/model`,
      `s3://bucket/${experiment}/models/${modelId}/artifacts`,
      uri,
    ];
    for (const each of addresses) {
      expect(await tracking.find(each), each).toEqual({ uri: each, runId: id, type: "of-the-run" });
      expect((await tracking.describe(each))?.uuid, each).toBe(`uuid-of-${id}`);
    }
    expect((await tracking.resolve(id))?.uri).toBe(`models:/${modelId}`);
  });

  it("tells nothing of a document that is none, or that is too long", async () => {
    const id = await runWith(["list", "broken", "long", "bomb"]);
    const own = await server.rootOf(id);
    const anchors = Array.from({ length: 30 }, (_, at) => `b${at + 1}: &b${at + 1} [*b${at}, *b${at}]`).join(
      "\n",
    );
    await server.write(own, "list/MLmodel", "- a\n- b\n");
    await server.write(own, "broken/MLmodel", "flavors: {\n\tx");
    await server.write(own, "long/MLmodel", mlModel(id, `more: ${"x".repeat(600_000)}`));
    await server.write(own, "bomb/MLmodel", `b0: &b0 x\n${anchors}\n`);
    for (const folder of ["list", "broken", "long", "bomb"]) {
      expect(await tracking.describe(`runs:/${id}/${folder}`), folder).toBeUndefined();
    }
  });
});
