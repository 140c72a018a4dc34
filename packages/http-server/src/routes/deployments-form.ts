import type { Deployment, Deployments, LogLine } from "@modelgate/core";
import type { Issue } from "../answers.ts";
import { pythonTime } from "../python-text.ts";
import { takeParameter } from "../query.ts";
import { reasonMember } from "./deployments-refusals.ts";

const MAX_LINES = 1_000;
/** Of an answer with logs; lines of any length come from a server that writes what it likes. */
const MAX_LOG_CHARACTERS = 1024 * 1024;

/** A deployment as it is told to everybody. What is not there is left out. */
export function deploymentForm(deployment: Deployment): Record<string, unknown> {
  const { model, kind, state, modelUri, modelType, trackingId, server, progress } = deployment;
  return {
    name: model,
    state,
    deployment_type: kind,
    model_uri: modelUri,
    model_type: modelType,
    tracking_id: trackingId,
    created_at: pythonTime(deployment.createdAtMs),
    ready_at: pythonTime(deployment.readyAtMs) ?? undefined,
    expires_at: pythonTime(deployment.expiresAtMs) ?? undefined,
    ...ttlOf(deployment),
    container_id: server?.id,
    container_name: server?.name,
    image_digest: server?.imageDigest,
    is_started: deployment.isStarted,
    failures: deployment.failures,
    ...reasonMember(deployment.error),
    ...(progress !== undefined && {
      progress: {
        phase: progress.phase,
        done_bytes: progress.doneBytes,
        total_bytes: progress.totalBytes,
      },
    }),
  };
}

function ttlOf({ kind, ttlMs, idleTtlMs }: Deployment): Record<string, number> {
  if (kind === "manual") return { ttl: ttlMs === undefined ? -1 : Math.ceil(ttlMs / 1000) };
  return idleTtlMs === undefined ? {} : { idle_ttl: Math.ceil(idleTtlMs / 1000) };
}

/** How many lines a query asks for with `logs`. */
export function readLogTail(query: string): { readonly tail?: number; readonly issue?: Issue } {
  const { value } = takeParameter(query, "logs");
  if (value === undefined) return {};
  const tail = /^\d{1,4}$/.test(value) ? Number(value) : 0;
  if (tail >= 1 && tail <= MAX_LINES) return { tail };
  const msg = `Input should be a whole number from 1 to ${MAX_LINES}`;
  return { tail: 0, issue: { type: "int_parsing", loc: ["query", "logs"], msg, input: value } };
}

/** The last lines that a server wrote, oldest first. */
export async function readLogs(
  deployments: Deployments,
  model: string,
  tail: number,
): Promise<readonly LogLine[]> {
  const lines: LogLine[] = [];
  let characters = 0;
  for await (const { stream, text } of deployments.logs(model, { tail })) {
    lines.push({ stream, text });
    characters += text.length;
    while (lines.length > tail || (characters > MAX_LOG_CHARACTERS && lines.length > 0)) {
      characters -= lines.shift()?.text.length ?? 0;
    }
  }
  return lines;
}
