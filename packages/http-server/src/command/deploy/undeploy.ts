import { connect } from "../client/connect.ts";
import { modelPath, readDeployment } from "../client/deployment-view.ts";
import { Refused } from "../client/gateway-client.ts";
import type { Call } from "../command-spec.ts";
import { EXIT } from "../exit-codes.ts";
import { endWithReader, writeJson, writeOut } from "../output/out.ts";

/** A gateway answers when the server is gone, or after four minutes. */
const ANSWER_MS = 300_000;

export async function undeploy({ arguments: [model = ""], options, settings }: Call): Promise<number> {
  endWithReader();
  const client = await connect(settings, { idleMs: ANSWER_MS });
  const path = `${modelPath(model)}${options.has("force") ? "?force=true" : ""}`;
  for (let isGone = false; !isGone; ) {
    try {
      (await client.open({ method: "DELETE", path })).resume();
      isGone = true;
    } catch (error) {
      if (!(error instanceof Refused) || error.status !== 503) throw error;
      // A run may take its time; whatever else is 503 is no removal in progress.
      const state = (await readDeployment(client, model))?.state;
      if (state === undefined) isGone = true;
      else if (state !== "draining" && state !== "stopping") throw error;
    }
  }
  await (options.has("json") ? writeJson({ name: model, state: "removed" }) : writeOut("removed\n"));
  return EXIT.ok;
}
