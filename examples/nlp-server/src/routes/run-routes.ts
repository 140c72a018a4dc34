import { type Answer, json, message } from "../http/answer.ts";
import { missing, unprocessable } from "../http/issues.ts";
import { QueryReader } from "../http/query.ts";
import type { InfoRoute } from "./model.ts";

export const runInfoRoute: InfoRoute = {
  method: "GET",
  answer: async ({ runs }, query) => listed(await runs.book.find(runIdIn(query))),
};

export const runMetricsRoute: InfoRoute = {
  method: "GET",
  answer: async ({ runs }, query) => listed(await runs.book.metrics(runIdIn(query))),
};

export const cancelRoute: InfoRoute = {
  method: "POST",
  answer: ({ runs }) =>
    runs.cancel()
      ? message(202, "The in-progress training will be stopped momentarily.")
      : message(400, "Cannot find in-progress training or no trainers are enabled for the running model."),
};

function runIdIn(query: URLSearchParams): string {
  const id = new QueryReader(query).text("train_eval_id");
  if (id === undefined) throw unprocessable(missing(["query", "train_eval_id"]));
  return id;
}

function listed(runs: readonly unknown[]): Answer {
  return json(runs.length > 0 ? 200 : 404, runs);
}
