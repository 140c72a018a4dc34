import { whereToGive } from "./names.ts";
import type { Settings } from "./settings.ts";

/** What the settings of the tracker say against each other. */
export function checkMlflow(settings: Settings): string[] {
  const { "mlflow.url": url, "mlflow.username": username, "mlflow.password": password } = settings;
  const token = settings["mlflow.token"];
  const problems: string[] = [];
  if (url === undefined && (username ?? password ?? token ?? settings["mlflow.publicUrl"]) !== undefined)
    problems.push(`mlflow is described and its address is not given; give ${whereToGive("mlflow.url")}.`);
  if (token !== undefined && (username ?? password) !== undefined)
    problems.push(
      `mlflow.token stands in place of a user and a password; give ${whereToGive("mlflow.token")} or these.`,
    );
  if ((username === undefined) !== (password === undefined)) {
    const missing = username === undefined ? "mlflow.username" : "mlflow.password";
    problems.push(`MLflow's user needs its password, and a password its user; give ${whereToGive(missing)}.`);
  }
  return problems;
}
