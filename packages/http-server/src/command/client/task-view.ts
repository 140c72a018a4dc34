import type { GatewayClient } from "./gateway-client.ts";

/** A task as the HTTP API tells it. Fields that only a newer gateway has are passed on in JSON. */
export interface TaskView {
  readonly uuid: string;
  readonly status: string;
  readonly model?: string | null;
  readonly type?: string | null;
  readonly created_at?: string | null;
  readonly started_at?: string | null;
  readonly finished_at?: string | null;
  readonly error_message?: string | null;
  readonly priority?: number | null;
  readonly attempt?: number | null;
  readonly server?: string | null;
}

const ENDED = ["succeeded", "failed", "cancelled"];

export function hasEnded({ status }: Pick<TaskView, "status">): boolean {
  return ENDED.includes(status);
}

export function readTask(client: GatewayClient, id: string, signal?: AbortSignal): Promise<TaskView> {
  return client.json({ path: `${taskPath(id)}?detail=true`, signal });
}

export function taskPath(id: string): string {
  return `/tasks/${encodeURIComponent(id)}`;
}

/** How long it ran, or has run; `undefined` before its first attempt. */
export function ranMs({ started_at, finished_at }: TaskView, nowMs: number): number | undefined {
  const startMs = timeOf(started_at);
  return startMs === undefined ? undefined : (timeOf(finished_at) ?? nowMs) - startMs;
}

export function ageMs({ created_at }: TaskView, nowMs: number): number | undefined {
  const createdMs = timeOf(created_at);
  return createdMs === undefined ? undefined : nowMs - createdMs;
}

function timeOf(text: string | null | undefined): number | undefined {
  const ms = Date.parse(text ?? "");
  return Number.isNaN(ms) ? undefined : ms;
}
