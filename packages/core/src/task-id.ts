import { randomUUID } from "node:crypto";

/**
 * A task id: a UUID of version 7 (RFC 9562), which begins with the time. Ids made together lie together in a store's
 * index, so that a commit writes few of its pages.
 */
export function newTaskId(nowMs: number): string {
  const time = nowMs.toString(16).padStart(12, "0");
  return `${time.slice(0, 8)}-${time.slice(8)}-7${randomUUID().slice(15)}`;
}
