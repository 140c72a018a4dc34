/** A number in [0, 1). */
export type Draw = () => number;

/** What a field may hold: values that are mostly taken, and values that are mostly refused. */
interface Pool {
  readonly good: readonly unknown[];
  readonly bad: readonly unknown[];
}

type Fields = Readonly<Record<string, Pool>>;

const BOOLEANS: Pool = {
  good: ["true", "False", "1", "no", "ON", "f", "Y"],
  bad: ["", "2", "truth", " true", "ja"],
};
const PRIORITIES: Pool = {
  good: ["0", "10", "+5", " 7", "007", "-0", "8 "],
  bad: ["", "11", "-1", "5.0", "1e1", "ten", "0x1"],
};
const COUNTS: Pool = {
  good: ["1", "1000", "010", "42"],
  bad: ["0", "1001", "", "-1", "1e2", "00001", " 5", "5.0"],
};
const TIMES: Pool = {
  good: [
    "2026-11-20",
    "2026-11-20T06:00:00Z",
    "2026-11-20 06:00",
    "1795216316654",
    "2026-11-20T06:00:00.5+01:00",
  ],
  bad: ["", "yesterday", "2026-02-30", "2026-11-20T25:00Z", "-1", "1234567890123456", "2026-11-20T06"],
};
const NAMES: Pool = { good: ["nlp", "", "é".repeat(256), "a b"], bad: ["x".repeat(257), "a\0b"] };

/** By operation, the fields of its query. */
export const QUERIES: Readonly<Record<string, Fields>> = {
  submitTask: { priority: PRIORITIES },
  getTask: { detail: BOOLEANS, download: BOOLEANS },
  retryTask: { priority: PRIORITIES },
  listTasks: {
    ...{ model: NAMES, type: NAMES, owner: NAMES, created_from: TIMES, created_before: TIMES, limit: COUNTS },
    status: { good: ["pending", "failed", "cancelled"], bad: ["", "done", "Failed"] },
    cursor: { good: ["abc", "x".repeat(1_024)], bad: ["x".repeat(1_025), "\0"] },
  },
  listModels: { verbose: BOOLEANS },
  getModel: { verbose: BOOLEANS },
  getDeployment: { logs: COUNTS },
  removeModel: { force: BOOLEANS },
  listConfigurations: { include_disabled: BOOLEANS },
};

const BOOLEAN_VALUES: Pool = {
  good: [true, false, null, "yes", "OFF", 1, 0],
  bad: [2, "", "maybe", [], {}, 0.5],
};
const TEXTS: Pool = { good: ["s3://models/a", null, "  spaced  "], bad: [1, true, [], {}] };
const TRACKING_IDS: Pool = { good: ["run-1", null, "  run-1 "], bad: [7, ["run-1"], {}] };
const ROOMS: readonly unknown[] = [
  {},
  null,
  { memory: "4g" },
  { memory: "512M", cpus: "0.5" },
  { cpus: 2, memory: null },
  { memory: "1.5k", other: null },
];
const BAD_ROOMS: readonly unknown[] = [
  { memory: 512 },
  { memory: "0" },
  { memory: "4 g" },
  { memory: "0.0001" },
  { memory: "999999999999999g" },
  { cpus: "two" },
  { cpus: 0 },
  { cpus: -1 },
  { cpus: "0.0" },
  { cpus: 100_001 },
  { cpus: true },
  { pids: 5 },
  [],
  "4g",
];
const GPU = { capabilities: ["gpu"] };
const DEVICES: readonly unknown[] = [
  null,
  [],
  [GPU],
  [{ ...GPU, count: 2 }],
  [{ ...GPU, count: "all", driver: "nvidia" }],
  [{ ...GPU, count: " 1 ", device_ids: null }],
  [{ ...GPU, device_ids: ["GPU-1"], options: null }],
  [{ capabilities: ["compute", "gpu"], count: 0 }],
];
const BAD_DEVICES: readonly unknown[] = [
  [{}],
  [GPU, GPU],
  [{ capabilities: ["tpu"] }],
  [{ capabilities: null }],
  [{ capabilities: [1, "gpu"] }],
  [{ ...GPU, count: 257 }],
  [{ ...GPU, count: -1 }],
  [{ ...GPU, count: 1.5 }],
  [{ ...GPU, count: "many" }],
  [{ ...GPU, count: "300" }],
  [{ ...GPU, count: 1, device_ids: ["GPU-1"] }],
  [{ ...GPU, device_ids: [] }],
  [{ ...GPU, device_ids: ["a b"] }],
  [{ ...GPU, device_ids: [3] }],
  [{ ...GPU, options: {} }],
  [null],
  "all",
  {},
];
const DEPLOYS: Pool = {
  good: [
    null,
    {},
    { resources: null },
    { resources: {}, replicas: null },
    ...ROOMS.map((limits) => ({ resources: { limits } })),
    ...ROOMS.map((reservations) => ({ resources: { reservations } })),
    ...DEVICES.map((devices) => ({ resources: { reservations: { devices } } })),
    { resources: { limits: { memory: "1k" }, reservations: { memory: "1g" } } },
  ],
  bad: [
    [],
    "4g",
    { replicas: 2 },
    { resources: [] },
    { resources: { requests: {} } },
    ...BAD_ROOMS.map((limits) => ({ resources: { limits } })),
    ...BAD_ROOMS.map((reservations) => ({ resources: { reservations } })),
    ...BAD_DEVICES.map((devices) => ({ resources: { reservations: { devices } } })),
    { resources: { limits: { devices: [GPU] } } },
  ],
};
const COMMON: Fields = {
  model_uri: TEXTS,
  tracking_id: { good: TRACKING_IDS.good, bad: [...TRACKING_IDS.bad, "", "  ", "x".repeat(513), "a\0"] },
  idle_ttl: {
    good: [1, 600, "60", " +5 ", null, 1e11, "007", 3.0],
    bad: [0, -1, "0", "-5", 1.5, "1.0", "ten", 1e12, "100000000001", true, [], {}],
  },
  description: {
    good: ["", "a note", null, "x".repeat(16_384)],
    bad: [5, "x".repeat(16_385), "a\0", "\ud800"],
  },
  keep_warm: BOOLEAN_VALUES,
  deploy: DEPLOYS,
};

/** By operation, the fields of its body. */
export const BODIES: Readonly<Record<string, Fields>> = {
  changeTask: {
    priority: { good: [0, 5, 10, -0, 9], bad: [11, -1, 1.5, "5", null, true, [], {}] },
  },
  deployModel: {
    model_uri: {
      good: [...TEXTS.good, "", "x".repeat(8_192)],
      bad: [...TEXTS.bad, "x".repeat(8_193), "a\0", "\udc00"],
    },
    tracking_id: TRACKING_IDS,
    ttl: { good: [60, -1, "90", null, 1e300, 0, " 5 "], bad: [1.5, "1.5", "", true, [], {}] },
    deploy: DEPLOYS,
  },
  createConfiguration: {
    model_name: { good: ["medcat", "m", "", "a b"], bad: [null, 5, [], {}] },
    ...COMMON,
    replace_enabled: BOOLEAN_VALUES,
    inherit_config: BOOLEAN_VALUES,
  },
  updateConfiguration: {
    ...COMMON,
    clear_tracking_id: BOOLEAN_VALUES,
    clear_idle_ttl: BOOLEAN_VALUES,
    clear_description: BOOLEAN_VALUES,
    clear_deploy: BOOLEAN_VALUES,
  },
};

/** Of a submit, by name. */
export const HEADERS: Readonly<Record<string, readonly string[]>> = {
  Prefer: ["wait=1", "wait=x", "", "respond-async, wait=0"],
  "Idempotency-Key": ["a", "x".repeat(255), "x".repeat(256), "", "a b", '"a"', '"a', '""', '"a\\"b"', "é"],
  "X-Modelgate-Priority": ["0", "10", "11", "-1", "urgent", "+5"],
};

function pick<T>(from: readonly T[], draw: Draw): T {
  return from[Math.floor(draw() * from.length)] as T;
}

/** One field after the other, most of them with what is taken. */
function drawFields(fields: Fields, draw: Draw): [string, unknown][] {
  const names = Object.keys(fields);
  // Of many fields few are spoilt at a time, so that about half of all inputs are taken.
  const spoils = 0.7 / Math.max(1, names.length * 0.6);
  return names
    .filter(() => names.length === 1 || draw() < 0.6)
    .map((name) => {
      const pool = fields[name] as Pool;
      return [name, pick(draw() < spoils ? pool.bad : pool.good, draw)];
    });
}

export function drawQuery(id: string, draw: Draw): string {
  const fields = QUERIES[id] as Fields;
  const pairs = drawFields(fields, draw).flatMap(([name, value]) => {
    const pair = pairOf(name, value);
    // Of a field that comes twice, the last one counts.
    return draw() < 0.1 ? [pairOf(name, pick((fields[name] as Pool).good, draw)), pair] : [pair];
  });
  if (draw() < 0.1) pairs.push("unknown=1");
  return pairs.join("&");
}

function pairOf(name: string, value: unknown): string {
  return `${name}=${encodeURIComponent(String(value))}`;
}

export function drawBody(id: string, draw: Draw): unknown {
  const body = Object.fromEntries(drawFields(BODIES[id] as Fields, draw));
  // What has no name and no address would mostly be refused for that alone.
  if (id === "createConfiguration" && draw() < 0.9) body["model_name"] ??= "medcat";
  if (id !== "changeTask" && draw() < 0.9) body["model_uri"] ??= "s3://models/a";
  // What is cleared is not looked at as closely.
  for (const name of Object.keys(body)) if (`clear_${name}` in body) delete body[name];
  if (draw() < 0.05) body["unknown"] = draw() < 0.5 ? null : 1;
  return body;
}
