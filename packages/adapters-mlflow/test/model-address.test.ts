import { describe, expect, it } from "vitest";
import { parseModelAddress } from "../src/model-address.ts";

const HOST = "mlflow-ui:5000";
const RUN = "0123456789abcdef0123456789abcdef";

describe("an address of a model", () => {
  it.each([
    ["models:/name@with@alias", { kind: "alias", name: "name@with", alias: "alias" }],
    ["models:/name/LATEST", { kind: "latest", name: "name" }],
    ["models:/m-name/3", { kind: "version", name: "m-name", version: "3" }],
    ["mlflow-artifacts://MLFLOW-UI:5000/1/x/", { kind: "artifacts", path: "1/x" }],
    ["mlflow-artifacts:///1/x", { kind: "artifacts", path: "1/x" }],
    [
      `s3://b/p/1/${RUN}/artifacts/a/artifacts/b`,
      { kind: "stored", root: `s3://b/p/1/${RUN}/artifacts`, runId: RUN, path: "a/artifacts/b" },
    ],
  ])("is read: %s", (uri, address) => {
    expect(parseModelAddress(uri, HOST)).toEqual(address);
  });

  it.each([
    "runs:/",
    `runs:/${RUN}`,
    `runs:/${RUN}/`,
    `runs://other/${RUN}/model`,
    `runs:/${RUN}/../model`,
    `runs:/${RUN}/a/./b`,
    `runs:/${RUN}/a//b`,
    `runs:/${RUN}/a\\b`,
    `runs:/${RUN}/a?path=b`,
    "runs:/../model",
    "models:/name",
    "models:/name/0",
    "models:/name/1/2",
    "models:/name@",
    "models://registry/name/1",
    "mlflow-artifacts://mlflow-ui/1/x",
    "mlflow-artifacts://user@mlflow-ui:5000/1/x",
    "mlflow-artifacts:/1/../../x",
    `s3://b/1/${RUN}/artifacts/../../x`,
    "s3://b/model",
    "/a/path",
    `models:/${"n".repeat(5000)}/1`,
  ])("is none that can be looked up: %s", (uri) => {
    expect(parseModelAddress(uri, HOST)).toBeUndefined();
  });
});
