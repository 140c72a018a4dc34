/** What a metric is, in the words of the exposition format. */
export interface MetricSpec {
  readonly name: string;
  readonly type: "counter" | "gauge" | "histogram";
  readonly labels: readonly string[];
  readonly help: string;
}

/** Seconds. From an answer out of a cache to a file that is worked through in an hour. */
export const WORK_BUCKETS: readonly number[] = [
  0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 3600,
];
/** Seconds. From no wait at all to the day after which waiting ends. */
export const WAIT_BUCKETS: readonly number[] = [
  0.01, 0.05, 0.1, 0.5, 1, 5, 10, 60, 300, 1800, 3600, 14_400, 86_400,
];

/** Seconds. From a row in memory to the time after which a caller of a store gives up. */
export const CALL_BUCKETS: readonly number[] = [
  0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10,
];

/** Seconds. From a minute to a year, as CogStack's gateway has them. */
export const IDLE_BUCKETS: readonly number[] = [
  60, 300, 600, 1800, 3600, 7200, 14_400, 28_800, 86_400, 172_800, 432_000, 604_800, 1_209_600, 2_592_000,
  15_552_000, 31_536_000,
];

/** Seconds. From an image that is there to one that is pulled from afar, and a model that loads for long. */
export const START_BUCKETS: readonly number[] = [0.5, 1, 2.5, 5, 10, 30, 60, 120, 300, 600, 1800];

/**
 * Every metric of the gateway. The names that begin with `gateway_`, `scheduler_` and `ripper_` are those of the CogStack Model
 * Gateway, so that its dashboards go on working; their labels are its own where these are bounded.
 */
export const METRICS = {
  role: {
    name: "modelgate_role",
    type: "gauge",
    labels: ["role"],
    help: "What this process is among several: always 1.",
  },
  requests: {
    name: "gateway_requests_total",
    type: "counter",
    labels: ["method", "endpoint", "status"],
    help: "HTTP requests that were answered, by route and class of status.",
  },
  requestSeconds: {
    name: "gateway_request_duration_seconds",
    type: "histogram",
    labels: ["method", "endpoint"],
    help: "Time until the answer to a request begins, the waiting asked for by Prefer included.",
  },
  submitted: {
    name: "gateway_tasks_processed_total",
    type: "counter",
    labels: ["model", "task"],
    help: "Tasks that this process accepted.",
  },
  modelsDeployed: {
    name: "gateway_models_deployed_total",
    type: "counter",
    labels: ["model", "model_uri"],
    help: "Models that this process deployed on request.",
  },
  started: {
    name: "scheduler_tasks_scheduled_total",
    type: "counter",
    labels: ["model", "type"],
    help: "Attempts that this process began.",
  },
  returned: {
    name: "scheduler_tasks_requeued_total",
    type: "counter",
    labels: ["model", "type", "counted", "code"],
    help: "Attempts that were handed back; counted tells a failure from mere waiting.",
  },
  ended: {
    name: "scheduler_tasks_completed_total",
    type: "counter",
    labels: ["model", "type", "status", "code"],
    help: "Tasks that this process saw ending, by their final state and the code of their error.",
  },
  attemptSeconds: {
    name: "modelgate_attempt_duration_seconds",
    type: "histogram",
    labels: ["model", "operation", "outcome"],
    help: "Time from the begin of an attempt to its end.",
  },
  waitSeconds: {
    name: "modelgate_task_wait_seconds",
    type: "histogram",
    labels: ["model", "operation"],
    help: "Time from the acceptance of a task to its first attempt, both in this process.",
  },
  taskSeconds: {
    name: "modelgate_task_duration_seconds",
    type: "histogram",
    labels: ["model", "operation", "status"],
    help: "Time from the acceptance of a task to its end, both in this process.",
  },
  stateSeconds: {
    name: "modelgate_task_state_seconds",
    type: "histogram",
    labels: ["model", "state"],
    help: "Time that tasks spent waiting, scheduled or running, each time that they left the state in this process.",
  },
  attemptsEnded: {
    name: "modelgate_attempts_ended_total",
    type: "counter",
    labels: ["model", "outcome", "code"],
    help: "Attempts that this process began and saw ending, by what became of them and why.",
  },
  directSeconds: {
    name: "modelgate_direct_duration_seconds",
    type: "histogram",
    labels: ["model", "outcome"],
    help: "Time that requests took that went straight to a server, to the end of the answer.",
  },
  waiting: {
    name: "modelgate_tasks_waiting",
    type: "gauge",
    labels: ["model"],
    help: "Tasks that wait, in all processes on this ledger.",
  },
  waitingBytes: {
    name: "modelgate_tasks_waiting_bytes",
    type: "gauge",
    labels: ["model"],
    help: "Bytes of the payloads of the tasks that wait.",
  },
  headWait: {
    name: "modelgate_lane_head_wait_seconds",
    type: "gauge",
    labels: ["model"],
    help: "How long the task has waited that comes next: where all have one priority, the oldest.",
  },
  inState: {
    name: "modelgate_tasks_in_progress",
    type: "gauge",
    labels: ["state"],
    help: "Tasks that are scheduled or running, in all processes on this ledger.",
  },
  servers: {
    name: "modelgate_servers",
    type: "gauge",
    labels: ["state"],
    help: "Model servers by state; paused ones are ready and get no work for a while.",
  },
  slots: {
    name: "modelgate_slots",
    type: "gauge",
    labels: ["state"],
    help: "Slots that this process would use, by the state of their server.",
  },
  inFlight: {
    name: "modelgate_slots_in_use",
    type: "gauge",
    labels: ["state"],
    help: "Attempts of this process on servers, by the state of the server.",
  },
  readyServers: {
    name: "modelgate_model_ready_servers",
    type: "gauge",
    labels: ["model"],
    help: "Servers that are ready for a known model.",
  },
  modelSlots: {
    name: "modelgate_model_slots",
    type: "gauge",
    labels: ["model"],
    help: "Slots that this process would use on the ready servers of a model.",
  },
  modelSlotsInUse: {
    name: "modelgate_model_slots_in_use",
    type: "gauge",
    labels: ["model"],
    help: "Slots that this process uses on the ready servers of a model, by whatever model of theirs.",
  },
  healthy: {
    name: "modelgate_component_healthy",
    type: "gauge",
    labels: ["component"],
    help: "Whether a part of the gateway answers.",
  },
  deployments: {
    name: "modelgate_deployments",
    type: "gauge",
    labels: ["state", "kind"],
    help: "Deployments of all processes on this store, by state and by who asked for them.",
  },
  deploymentFailures: {
    name: "modelgate_deployment_failures_total",
    type: "counter",
    labels: ["kind", "code"],
    help: "Deployments that this process saw failing for good, by the code of their error.",
  },
  deploymentSeconds: {
    name: "modelgate_deployment_start_seconds",
    type: "histogram",
    labels: ["kind"],
    help: "Time from the begin of a deployment, without its waiting for room, until its server is ready.",
  },
  purged: {
    name: "ripper_containers_purged_total",
    type: "counter",
    labels: ["deployment_type", "reason"],
    help: "Deployed servers that this process removed because their time was over.",
  },
  checked: {
    name: "ripper_containers_checked_total",
    type: "counter",
    labels: ["deployment_type"],
    help: "Deployed servers of which this process looked whether their time is over, each time.",
  },
  modelIdle: {
    name: "ripper_model_idle_time_seconds",
    type: "histogram",
    labels: ["model"],
    help: "Time from the last activity of an on-demand model until this process removed its server for being idle.",
  },
  ejections: {
    name: "modelgate_server_ejections_total",
    type: "counter",
    labels: [],
    help: "Servers that got no work for a while because they kept failing.",
  },
  adapterFailures: {
    name: "modelgate_adapter_failures_total",
    type: "counter",
    labels: ["adapter", "operation", "code"],
    help: "Calls to the ledger and other parts that failed and are tried again.",
  },
  ledgerSeconds: {
    name: "modelgate_ledger_call_seconds",
    type: "histogram",
    labels: ["operation", "outcome"],
    help: "Time that calls of this process to the ledger took.",
  },
  diskSize: {
    name: "modelgate_data_disk_size_bytes",
    type: "gauge",
    labels: [],
    help: "Size of the file system that the data directory is on.",
  },
  diskFree: {
    name: "modelgate_data_disk_free_bytes",
    type: "gauge",
    labels: [],
    help: "What this process may still write there.",
  },
  loopBusy: {
    name: "modelgate_event_loop_busy_seconds_total",
    type: "counter",
    labels: [],
    help: "Time in which the event loop was at work; its rate is the share of one core that JavaScript takes.",
  },
} as const satisfies Readonly<Record<string, MetricSpec>>;
