import {
  type Gateway,
  GatewayError,
  type ModelStatus,
  type OperationInfo,
  type TaskRecord,
} from "@modelgate/core";

/** A gateway of which every call is unsupported, except for what is given. */
export function handMadeGateway(parts: Partial<Gateway> = {}): Gateway {
  const unsupported = (): never => {
    throw new GatewayError("UNSUPPORTED", "not part of this test");
  };
  const rejects = async (): Promise<never> => unsupported();
  return {
    events: { on: unsupported, once: unsupported, off: unsupported },
    start: rejects,
    stop: rejects,
    submit: rejects,
    get: rejects,
    list: rejects,
    result: rejects,
    wait: rejects,
    cancel: rejects,
    retry: rejects,
    reprioritise: rejects,
    models: () => [modelStatus("nlp")],
    info: rejects,
    pass: rejects,
    upgrade: rejects,
    operations: () => operationsOf({ process: "text/plain" }),
    health: rejects,
    ...parts,
  };
}

/** Operations by name, each with the media type that it expects. */
export function operationsOf(
  types: Readonly<Record<string, string | undefined>>,
): ReadonlyMap<string, OperationInfo> {
  const common = { repeatable: true, background: false, timeoutMs: 1_000 };
  return new Map(
    Object.entries(types).map(([name, contentType]) => [name, { name, contentType, ...common }]),
  );
}

export function modelStatus(name: string, isRunning = true): ModelStatus {
  return { name, isRunning, servers: [] };
}

export function taskRecord(parts: Partial<TaskRecord> = {}): TaskRecord {
  return {
    id: "task-1",
    model: "nlp",
    operation: "process",
    owner: "",
    query: "",
    repeatable: true,
    background: false,
    maxFailures: 5,
    payload: { sizeBytes: 0 },
    createdAtMs: 1_763_680_316_654,
    deadlineAtMs: 1_763_766_716_654,
    state: "pending",
    priority: 5,
    rank: 0,
    attempt: 0,
    failures: 0,
    lostAttempts: 0,
    recovering: false,
    ...parts,
  };
}
