// A model server with the manners of CogStack ModelServe and none of its weight, for tests of deployments: it becomes
// ready late or never, dies, eats memory or does not want to stop, as it is told. It depends on nothing but Node.
//
// Each switch is a variable of the environment, or an argument: START_DELAY_MS=200 or --start-delay-ms 200. Other
// arguments are left alone, as the servers that it stands for are given all kinds.

import { randomBytes, randomUUID } from "node:crypto";
import { createServer } from "node:http";
import { setTimeout as sleep } from "node:timers/promises";

const defaults = {
  HOST: "0.0.0.0",
  PORT: "8000",
  MODEL: "test",
  MODEL_TYPE: "medcat_snomed",
  /** Until then /readyz, /info and all work answer 503. */
  START_DELAY_MS: "0",
  NEVER_READY: "",
  EXIT_AFTER_MS: "",
  EXIT_CODE: "1",
  ALLOCATE_MB: "0",
  ALLOCATE_AFTER_MS: "0",
  PROCESS_MS: "0",
  /** Without it there are no routes for trainings, as on a server that has them disabled. */
  ANSWER_202: "1",
  RUN_MS: "0",
  /** Whether runs end as FAILED. */
  RUN_FAILS: "",
  IGNORE_SIGTERM: "",
  PRINT_SECRET: "",
};

const args = process.argv.slice(2);

function argument(name) {
  const flag = `--${name.toLowerCase().replaceAll("_", "-")}`;
  const index = args.findIndex((arg) => arg === flag || arg.startsWith(`${flag}=`));
  if (index === -1) return undefined;
  const [, value] = /=(.*)$/s.exec(args[index]) ?? [];
  const next = args[index + 1];
  return value ?? (next === undefined || next.startsWith("--") ? "1" : next);
}

const settings = Object.fromEntries(
  Object.entries(defaults).map(([name, usual]) => [name, argument(name) ?? process.env[name] ?? usual]),
);
const isOn = (name) => !["", "0", "false"].includes(settings[name]);
const numberOf = (name) => Number(settings[name]);

const startedAt = Date.now();
const counts = {};
/** When each path was first answered with 200. */
const firstAt = {};
const memory = [];
const runs = [];
let readyAt = null;
let inFlight = 0;

function allocate(megabytes) {
  // What is not written to is not there.
  for (let count = 0; count < megabytes; count += 1) memory.push(Buffer.alloc(1024 * 1024, 1));
}

const info = {
  api_version: "0.0.1",
  model_type: settings.MODEL_TYPE,
  model_description: settings.MODEL,
  model_card: { "Model ID": settings.MODEL },
};

async function bodyOf(request) {
  return Buffer.concat(await request.toArray());
}

async function processText({ request }) {
  const text = (await bodyOf(request)).toString("utf8");
  await sleep(numberOf("PROCESS_MS"));
  const [word] = /\S+/.exec(text) ?? [];
  const start = word === undefined ? 0 : [...text.slice(0, text.indexOf(word))].length;
  const annotation = word && { start, end: start + [...word].length, label_name: "Word", label_id: "WORD" };
  return [200, { text, annotations: annotation ? [{ ...annotation, text: word, meta_anns: {} }] : [] }];
}

const idsOf = ({ experiment_id, run_id }) => ({ experiment_id, run_id });
const activeRun = () => runs.find(({ status }) => status === "RUNNING");

function begins(kind) {
  return async ({ request, query }) => {
    await request.resume().toArray();
    if (!isOn("ANSWER_202")) return [404, { detail: "Not Found" }];
    const active = activeRun();
    if (active !== undefined) {
      const again = kind === "training" ? "Please retry your training later." : "Please retry later.";
      const message = `Another training or evaluation on this model is still active. ${again}`;
      return [503, { message, ...idsOf(active) }];
    }
    const trackingId = query.get("tracking_id") ?? randomUUID();
    const runId = randomBytes(16).toString("hex");
    const run = {
      artifact_uri: `memory:/1/${runId}/artifacts`,
      end_time: null,
      experiment_id: "1",
      lifecycle_stage: "active",
      run_id: runId,
      run_name: trackingId,
      run_uuid: runId,
      start_time: Date.now(),
      status: "RUNNING",
      user_id: "test-server",
      tags: { "mlflow.runName": trackingId },
    };
    runs.unshift(run);
    setTimeout(() => endRun(run, isOn("RUN_FAILS") ? "FAILED" : "FINISHED"), numberOf("RUN_MS"));
    return [
      202,
      { message: `Your ${kind} started successfully.`, [`${kind}_id`]: trackingId, ...idsOf(run) },
    ];
  };
}

function endRun(run, status) {
  if (run.status !== "RUNNING") return;
  run.status = status;
  run.end_time = Date.now();
}

function findRuns({ query }) {
  const id = query.get("train_eval_id");
  if (id === null) return [422, { detail: [{ loc: ["query", "train_eval_id"], msg: "Field required" }] }];
  const found = runs.filter(({ run_name }) => run_name === id);
  return [found.length > 0 ? 200 : 404, found];
}

function cancel() {
  const active = activeRun();
  if (active === undefined) {
    const message = "Cannot find in-progress training or no trainers are enabled for the running model.";
    return [400, { message }];
  }
  endRun(active, "KILLED");
  return [202, { message: "The in-progress training will be stopped momentarily." }];
}

/** They answer whatever state the server is in; all others wait for it to be ready. */
const always = {
  "GET /healthz": () => [200, "OK"],
  "GET /argv": () => [200, { argv: args, env: process.env }],
  "GET /counts": () => [200, { counts, firstAt, inFlight, startedAt, readyAt, pid: process.pid }],
  "POST /exit": ({ query }) => process.exit(Number(query.get("code") ?? settings.EXIT_CODE)),
  "POST /allocate": ({ query }) => {
    allocate(Number(query.get("mb") ?? settings.ALLOCATE_MB));
    return [200, { allocated: memory.length }];
  },
};
const whenReady = {
  "GET /readyz": () => [200, settings.MODEL_TYPE],
  "GET /info": () => [200, info],
  "POST /process": processText,
  "POST /train_supervised": begins("training"),
  "POST /train_unsupervised": begins("training"),
  "POST /evaluate": begins("evaluation"),
  "GET /train_eval_info": findRuns,
  "POST /cancel_training": cancel,
};

async function answerTo(request) {
  const { pathname, searchParams } = new URL(request.url, "http://server");
  counts[pathname] = (counts[pathname] ?? 0) + 1;
  const key = `${request.method} ${pathname}`;
  if (readyAt === null && key in whenReady) return [503, { message: "The model is not ready yet." }];
  const route = always[key] ?? whenReady[key];
  if (route === undefined) return [404, { detail: "Not Found" }];
  return await route({ request, query: searchParams });
}

const server = createServer(async (request, response) => {
  inFlight += 1;
  response.once("close", () => {
    inFlight -= 1;
  });
  try {
    const [status, content] = await answerTo(request);
    if (status === 200) firstAt[request.url.split("?", 1)[0]] ??= Date.now();
    const isText = typeof content === "string";
    response.writeHead(status, { "content-type": isText ? "text/plain; charset=utf-8" : "application/json" });
    response.end(isText ? content : JSON.stringify(content));
  } catch {
    response.destroy(); // The caller hung up in the middle of the request.
  }
});

// The first process of a container is ended by no signal that it does not listen to.
for (const signal of ["SIGTERM", "SIGINT"]) {
  process.on(signal, () => {
    console.log(JSON.stringify({ event: signal, ignored: isOn("IGNORE_SIGTERM") }));
    if (!isOn("IGNORE_SIGTERM")) process.exit(0);
  });
}
if (isOn("PRINT_SECRET")) console.log(JSON.stringify({ event: "environment", env: process.env }));
if (settings.EXIT_AFTER_MS !== "")
  setTimeout(() => process.exit(numberOf("EXIT_CODE")), numberOf("EXIT_AFTER_MS"));
if (numberOf("ALLOCATE_MB") > 0)
  setTimeout(() => allocate(numberOf("ALLOCATE_MB")), numberOf("ALLOCATE_AFTER_MS"));

server.listen(numberOf("PORT"), settings.HOST, async () => {
  console.log(JSON.stringify({ event: "listening", port: server.address().port, model: settings.MODEL }));
  await sleep(numberOf("START_DELAY_MS") - (Date.now() - startedAt));
  if (isOn("NEVER_READY")) return;
  readyAt = Date.now();
  console.log(JSON.stringify({ event: "ready" }));
});
