import { expect, it } from "vitest";
import { readCmgFile } from "../../src/command/from-cmg/read-file.ts";

it("the tracker of the gateway is the one that CMG's file names for it, and not that of the model servers", () => {
  const ofServers = { uri: "http://mlflow-ui:5000", username: "writer", password: "w" };
  const asked = (content: object) => {
    const { out, problems } = readCmgFile(content, "config.json");
    expect(problems).toEqual([]);
    const value = (name: "mlflow.url" | "mlflow.username" | "cms.tracking.username") =>
      out.entries.get(name)?.value;
    return [value("mlflow.url"), value("mlflow.username"), value("cms.tracking.username")];
  };
  const tracking = { uri: "http://mlflow-ui:5000", username: "reader", password: "r" };
  expect(asked({ cms: { tracking: ofServers }, tracking })).toEqual([tracking.uri, "reader", "writer"]);
  // As with CMG, whoever names one tracker only names it for both.
  expect(asked({ cms: { tracking: ofServers } })).toEqual([ofServers.uri, "writer", "writer"]);
});
