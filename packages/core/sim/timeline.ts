import type { TaskRecord } from "../src/contracts/task.ts";
import type { HistoryEvent, Violation } from "../src/testing/checker/index.ts";

function describeTask(task: TaskRecord, storeMs: number): string {
  const parts = [`${task.state} attempt ${task.attempt}`];
  if (task.holder !== undefined)
    parts.push(`held by ${task.holder} for ${Math.round((task.leaseExpiresAtMs ?? storeMs) - storeMs)} ms`);
  if (task.server !== undefined) parts.push(`on ${task.instance ?? task.server}`);
  if (task.sentAtMs !== undefined) parts.push("sent");
  if (task.recovering) parts.push("recovering");
  if (task.failures > 0) parts.push(`failures ${task.failures}`);
  if (task.lostAttempts > 0) parts.push(`lost ${task.lostAttempts}`);
  if (task.notBeforeAtMs !== undefined) parts.push(`not before ${task.notBeforeAtMs - storeMs} ms`);
  if (task.cancelRequestedAtMs !== undefined) parts.push("cancel requested");
  if (task.error !== undefined) parts.push(task.error.code);
  if (task.state === "pending" && task.attempt === 0)
    parts.push(`${task.model} ${task.operation} priority ${task.priority}`);
  return parts.join(", ");
}

const join = (items: readonly string[]): string => (items.length === 0 ? "-" : items.join(" "));

function describe(event: HistoryEvent): string {
  switch (event.kind) {
    case "row":
      return `store    ${event.task.id}: ${describeTask(event.task, event.storeMs)} (${event.cause})`;
    case "exchange": {
      const settled = event.settle.map((item, at) => {
        const hold = "releaseHold" in item && item.releaseHold ? "+release" : "";
        return `${item.id}/${item.attempt}:${item.kind}${hold}=${event.settled[at]?.outcome}`;
      });
      const renewed = event.renew.map((item) => `${item.id}/${item.attempt}`);
      const granted = event.grants.map(
        (grant) => `${grant.kind} ${grant.id}/${grant.attempt}@${grant.server}`,
      );
      const released = event.release.map((hold) => `${hold.server}(${hold.id}/${hold.attempt})`);
      const want = event.want.map(
        (one) => `${one.server}:${one.max}/${one.limit}${one.background ? "b" : ""}`,
      );
      return `store    ${event.by} exchange ${event.sequence}: settle ${join(settled)} renew ${join(renewed)} release ${join(released)} want ${join(want)} → ${join(granted)}`;
    }
    case "claim":
      return `store    ${event.by} claim ${event.sequence}: ${join(event.claims.map((claim, at) => `${claim.id}=${event.outcomes[at]}`))}`;
    case "object":
      return `objects  ${event.key} ${event.change}`;
    case "sent":
      return `call     #${event.call} ${event.id} sent by ${event.by} to ${event.instance}`;
    case "answered":
      return `call     #${event.call} ${event.id} of ${event.by}: ${event.outcome}`;
    case "begun":
      return `server   ${event.instance} begins ${event.id} (execution ${event.execution}${event.background ? ", background" : ""})`;
    case "finished":
      return `server   execution ${event.execution} ${event.how}`;
    case "server":
      return `server   ${event.instance} ${event.isUp ? "up" : "down"}`;
    case "process":
      return `process  ${event.by} ${event.change}${event.checkpoint === undefined ? "" : ` at ${event.checkpoint}`}`;
    case "fault":
      return `fault    ${event.fault}${event.by === undefined ? "" : ` at ${event.by}`}`;
    case "clock":
      return `clock    ${event.by} steps by ${event.stepMs} ms`;
    case "phase":
      return `world    ${event.phase}${event.dead.length === 0 ? "" : `, dead: ${event.dead.join()}`}`;
    case "read":
      return `client   ${event.id} read as ${event.state}: ${event.outcome}`;
    case "seen":
      return `client   ${event.id} seen ${event.state}`;
    case "hung":
      return `client   ${event.call} on ${event.by} never came back`;
    case "refused":
      return `client   ${event.id} refused: ${event.code}`;
    case "accepted":
      return `client   ${event.id} accepted by ${event.by}`;
    default:
      return `client   ${event.id} ${event.kind}`;
  }
}

function isAbout(
  event: HistoryEvent,
  about: { readonly id?: string | undefined; readonly server?: string | undefined },
): boolean {
  const { id, server } = about;
  switch (event.kind) {
    case "process":
    case "phase":
    case "clock":
      return true;
    case "server":
      return server === undefined || event.server === server;
    case "row":
      return event.task.id === id;
    case "exchange":
      return (
        event.settle.some((item) => item.id === id) ||
        event.grants.some((grant) => grant.id === id || (id === undefined && grant.server === server)) ||
        event.release.some((hold) => hold.id === id || hold.server === server)
      );
    case "claim":
      return event.claims.some((claim) => claim.id === id);
    case "object":
      return id !== undefined && event.key.includes(`/${id}/`);
    case "finished":
      return false;
    case "begun":
    case "sent":
      return (
        event.id === id ||
        (server !== undefined && event.server === server && event.kind === "begun" && event.background)
      );
    default:
      return "id" in event && event.id === id;
  }
}

export function printTimeline(history: readonly HistoryEvent[]): string {
  return history.map((event) => `${event.atMs.toFixed(1).padStart(10)} ${describe(event)}`).join("\n");
}

/** What led to a violation: the events about its task and server, the last of them. */
export function sliceFor(
  history: readonly HistoryEvent[],
  violation: Violation,
  limit: number,
): readonly HistoryEvent[] {
  const executions = new Set<number>();
  const slice = history.filter((event) => {
    if (event.atMs > violation.atMs) return false;
    if (event.kind === "finished") return executions.has(event.execution);
    const isRelated = isAbout(event, violation);
    if (isRelated && event.kind === "begun") executions.add(event.execution);
    return isRelated;
  });
  return slice.slice(-limit);
}
