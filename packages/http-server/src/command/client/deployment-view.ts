import { CommandError } from "../command-error.ts";
import { EXIT } from "../exit-codes.ts";
import { durationText } from "../output/duration-text.ts";
import { sizeText } from "../output/size-text.ts";
import { type GatewayClient, Refused } from "./gateway-client.ts";

/** A deployment as the HTTP API tells it. Fields that only a newer gateway has are passed on in JSON. */
export interface DeploymentView {
  readonly name: string;
  readonly state: string;
  readonly deployment_type: string;
  readonly model_uri?: string;
  readonly created_at: string;
  readonly ready_at?: string;
  readonly expires_at?: string;
  /** In seconds; -1 means for ever. */
  readonly ttl?: number;
  readonly idle_ttl?: number;
  readonly reason?: { readonly code: string; readonly message: string };
  readonly progress?: {
    readonly phase: string;
    readonly done_bytes?: number;
    readonly total_bytes?: number;
  };
  /** Only where they were asked for. */
  readonly logs?: readonly { readonly stream: string; readonly text: string }[];
}

export function modelPath(model: string): string {
  return `/models/${encodeURIComponent(model)}`;
}

/** `undefined` when there is none of this model. */
export async function readDeployment(
  client: GatewayClient,
  model: string,
  signal?: AbortSignal,
): Promise<DeploymentView | undefined> {
  try {
    return await client.json<DeploymentView>({ path: `${modelPath(model)}/deployment`, signal });
  } catch (error) {
    if (error instanceof Refused && error.status === 404 && error.code === "DEPLOYMENT_UNKNOWN")
      return undefined;
    throw error;
  }
}

/** What it is about to do, in words. */
export function stateText({ state, progress }: DeploymentView): string {
  if (state !== "waiting" && state !== "deploying") return state;
  const { phase, done_bytes: done, total_bytes: total } = progress ?? {};
  if (phase === "pulling" && done !== undefined && total !== undefined)
    return `${state}: image ${sizeText(done)} of ${sizeText(total)}`;
  return phase === "pulling" || phase === "unpacking" ? `${state}: image ${phase}` : state;
}

/** When it is removed by itself. */
export function endText(
  { deployment_type, expires_at, ttl, idle_ttl }: DeploymentView,
  nowMs: number,
): string {
  if (expires_at !== undefined) return `in ${durationText(Date.parse(expires_at) - nowMs)}`;
  if (deployment_type === "auto")
    return idle_ttl === undefined ? "never" : `after ${durationText(idle_ttl * 1000)} idle`;
  return ttl === undefined || ttl < 0 ? "never" : `${durationText(ttl * 1000)} after it is ready`;
}

/** Why it failed, as an end of the command. */
export function failureOf({ name, reason }: DeploymentView): CommandError {
  const why = reason === undefined ? "" : `: ${reason.message} (${reason.code})`;
  return new CommandError(
    EXIT.failed,
    `Model ${name} was not deployed${why}. modelgate logs ${name} shows what its server wrote.`,
  );
}
