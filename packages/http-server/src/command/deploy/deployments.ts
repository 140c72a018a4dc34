import { connect } from "../client/connect.ts";
import { type DeploymentView, endText, stateText } from "../client/deployment-view.ts";
import type { Call } from "../command-spec.ts";
import { EXIT } from "../exit-codes.ts";
import { durationText } from "../output/duration-text.ts";
import { endWithReader, tell, writeJson, writeOut } from "../output/out.ts";
import { formatTable } from "../output/table.ts";

interface DeploymentList {
  readonly deployments: readonly DeploymentView[];
}

export async function deployments({ options, settings }: Call): Promise<number> {
  endWithReader();
  const client = await connect(settings);
  const list = await client.json<DeploymentList>({ path: "/deployments" });
  if (options.has("json")) {
    await writeJson(list);
    return EXIT.ok;
  }
  const rows = list.deployments.map((deployment) => rowOf(deployment, Date.now()));
  if (rows.length === 0) tell("Nothing is deployed. modelgate deploy MODEL --uri URI does it.");
  else await writeOut(formatTable([["MODEL", "STATE", "KIND", "AGE", "ENDS", "REASON"], ...rows]));
  return EXIT.ok;
}

function rowOf(deployment: DeploymentView, nowMs: number): string[] {
  const { name, deployment_type: kind, created_at, reason } = deployment;
  return [
    name,
    stateText(deployment),
    kind,
    durationText(nowMs - Date.parse(created_at)),
    deployment.state === "failed" ? "-" : endText(deployment, nowMs),
    reason === undefined ? "-" : `${reason.message} (${reason.code})`,
  ];
}
