import { type Running, until } from "./running.ts";

export interface RunInfo {
  run_id: string;
  run_name: string;
  experiment_id: string;
  status: string;
  start_time: number;
  end_time: number | null;
  tags: Record<string, string>;
  params: Record<string, string>;
  metrics: Record<string, number>;
}

/** All runs with this name, the newest first. */
export async function runsOf({ url }: Pick<Running, "url">, name: string): Promise<RunInfo[]> {
  return (await (await fetch(`${url}/train_eval_info?train_eval_id=${name}`)).json()) as RunInfo[];
}

/** The newest run with this name, once it has ended. */
export async function endedRun(running: Pick<Running, "url">, name: string): Promise<RunInfo> {
  await until(async () => {
    const status = (await runsOf(running, name))[0]?.status;
    return status !== undefined && status !== "RUNNING";
  });
  const [run] = await runsOf(running, name);
  if (!run) throw new Error(`There is no run ${name}.`);
  return run;
}

export async function metricsOf({ url }: Running, name: string): Promise<Record<string, unknown>> {
  const answer = await fetch(`${url}/train_eval_metrics?train_eval_id=${name}`);
  return ((await answer.json()) as Record<string, unknown>[])[0] ?? {};
}
