import { randomBytes } from "node:crypto";

export interface TrackedRun {
  readonly run_id: string;
  /** Where its model is, by its own tag. */
  readonly uri: string;
}

const MLMODEL =
  'artifact_path: model\nflavors:\n  python_function:\n    loader_module: none\nmodel_uuid: "1"\n';

/** Writes an ended run with a model down in a real MLflow, as a model server does after a training. */
export async function createTrackedRun(url: string): Promise<TrackedRun> {
  const api = `${url}/api/2.0`;
  const ask = async (method: string, target: string, body: string): Promise<string> => {
    const headers = { "content-type": target.includes("artifacts/") ? "text/plain" : "application/json" };
    const answer = await fetch(target, { method, headers, body });
    const text = await answer.text();
    if (!answer.ok) throw new Error(`${method} ${target}: ${answer.status} ${text}`);
    return text;
  };
  const post = async <T>(path: string, body: object): Promise<T> =>
    JSON.parse(await ask("POST", `${api}/mlflow/${path}`, JSON.stringify(body))) as T;

  const name = `upstream-${randomBytes(6).toString("hex")}`;
  const { experiment_id } = await post<{ experiment_id: string }>("experiments/create", { name });
  const { run } = await post<{ run: { info: { run_id: string; artifact_uri: string } } }>("runs/create", {
    ...{ experiment_id, run_name: name, start_time: Date.now() },
  });
  const { run_id, artifact_uri } = run.info;
  const uri = `${artifact_uri}/model`;
  const path = new URL(artifact_uri).pathname;
  await ask("PUT", `${api}/mlflow-artifacts/artifacts${path}/model/MLmodel`, MLMODEL);
  await post("runs/set-tag", { run_id, key: "training.output.model_uri", value: uri });
  await post("runs/update", { run_id, status: "FINISHED", end_time: Date.now() });
  return { run_id, uri };
}
