import { setTimeout as sleep } from "node:timers/promises";
import { connect } from "../client/connect.ts";
import {
  type DeploymentView,
  endText,
  failureOf,
  modelPath,
  readDeployment,
  stateText,
} from "../client/deployment-view.ts";
import { type GatewayClient, Refused } from "../client/gateway-client.ts";
import { CommandError } from "../command-error.ts";
import type { Call } from "../command-spec.ts";
import { EXIT } from "../exit-codes.ts";
import { endWithReader, tell, writeJson, writeOut } from "../output/out.ts";
import { printable } from "../output/printable.ts";
import { bodyOf, readWish, type Wish } from "./read-wish.ts";

/** A gateway answers when the server is started, or after four minutes. */
const ANSWER_MS = 300_000;
const LOOK_MS = 1_000;

/** Deploys a model, or tells how it would be. */
export async function deploy(call: Call): Promise<number> {
  endWithReader();
  const {
    arguments: [model = ""],
    options,
    settings,
  } = call;
  const wish = readWish(model, options);
  if (options.has("dry-run")) return (await import("./dry-run.ts")).dryRun(wish, call);
  const client = await connect(settings, { idleMs: ANSWER_MS });
  const interrupt = new AbortController();
  const onSignal = (): void => interrupt.abort();
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  try {
    const deployment = await carryOut(client, wish, options.has("wait"), interrupt.signal);
    await (options.has("json") ? writeJson(deployment) : writeOut(`${printable(deployment.state)}\n`));
    if (deployment.state === "failed") throw failureOf(deployment);
    if (!options.has("json")) tell(`It will be removed: ${endText(deployment, Date.now())}.`);
    return EXIT.ok;
  } catch (error) {
    if (!interrupt.signal.aborted) throw error;
    tell(
      `The deployment goes on. modelgate deployments tells how far it is; modelgate undeploy ${model} ends it.`,
    );
    return EXIT.interrupted;
  } finally {
    process.off("SIGINT", onSignal).off("SIGTERM", onSignal);
  }
}

/** Resolves to the deployment once its server is started, is ready, or failed. */
async function carryOut(
  client: GatewayClient,
  wish: Wish,
  isReadyWanted: boolean,
  signal: AbortSignal,
): Promise<DeploymentView> {
  const answered = new AbortController();
  const telling = tellStates(client, wish.model, AbortSignal.any([signal, answered.signal]));
  try {
    while (!(await ask(client, wish, signal)));
    for (;;) {
      const deployment = await readDeployment(client, wish.model, signal);
      if (deployment === undefined)
        throw new CommandError(EXIT.failed, `Model ${wish.model} was removed before it was deployed.`);
      const { state } = deployment;
      if (!isReadyWanted || (state !== "waiting" && state !== "deploying")) return deployment;
      await sleep(LOOK_MS, undefined, { signal });
    }
  } finally {
    answered.abort();
    await telling;
  }
}

/** Resolves to whether the gateway said how it ended; what goes on is asked for again, which joins it. */
async function ask(client: GatewayClient, wish: Wish, signal: AbortSignal): Promise<boolean> {
  const body = Buffer.from(bodyOf(wish));
  try {
    await client.json({
      method: "POST",
      path: modelPath(wish.model),
      headers: { "content-type": "application/json" },
      body: { bytes: once(body), sizeBytes: body.byteLength },
      signal,
    });
    return true;
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    // Why it failed stands with the deployment.
    if (error.status !== 500 && error.status !== 503) throw error;
    const deployment = await readDeployment(client, wish.model, signal);
    if (deployment?.state === "failed") return true;
    const goesOn = error.status === 503 && ["waiting", "deploying"].includes(deployment?.state ?? "");
    if (!goesOn) throw error;
    return false;
  }
}

async function* once(bytes: Uint8Array): AsyncGenerator<Uint8Array> {
  yield bytes;
}

/** One line on standard error for each state, until it is told to end. */
async function tellStates(client: GatewayClient, model: string, signal: AbortSignal): Promise<void> {
  let told = "";
  try {
    for (;;) {
      await sleep(LOOK_MS, undefined, { signal });
      const deployment = await readDeployment(client, model, signal);
      const text = deployment === undefined ? "" : stateText(deployment);
      if (text !== "" && text !== told) tell(`${model}: ${printable(text)}`);
      told = text;
    }
  } catch {
    // It is only told beside the answer, which says what is wrong.
  }
}
