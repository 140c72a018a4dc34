// biome-ignore-all lint/suspicious/noTemplateCurlyInString: faults are pieces of sources.
// Health, metrics, logs, connections, settings, and what callers may do.

const ledgerKit = "packages/core/test/testing/ledger.test.ts";
const ofKit = (file) => `packages/core/src/testing/ledger-kit/${file}.ts`;
const command = "packages/http-server/test/command/command.test.ts";
const modelsTracking = "packages/http-server/test/models-tracking.test.ts";
const timedReader = "packages/http-server/src/routes/timed-reader.ts";

export const service = [
  {
    id: "W-24",
    title: "Tasks cannot be listed page by page, cancelled or tried again",
    faults: [
      {
        file: "packages/http-server/src/routes/list-tasks.ts",
        find: "next_cursor: nextCursor });",
        replace: "next_cursor: nextCursor && null });",
      },
    ],
    test: {
      file: "packages/http-server/test/list-tasks.test.ts",
      name: "walks over all tasks of a real store, newest first, each once",
    },
  },
  {
    id: "W-27",
    title: "A process that is told to stop lets go of what runs",
    faults: [
      {
        file: "packages/core/src/tasks/runner.ts",
        find: "const cancelDrain = clock.after(drainMs, () => {",
        replace: "const cancelDrain = clock.after(0, () => {",
      },
    ],
    test: {
      file: command,
      name: "finishes what runs when it is told to stop, and leaves the rest to the next one",
    },
  },
  {
    id: "W-41",
    title: "The process that removes servers is not told where the database is",
    faults: [
      {
        file: "packages/http-server/src/command/settings/postgres-settings.ts",
        find: "const commands = [...STORING,",
        replace: 'const commands = [...STORING.filter((name) => name !== "reaper"),',
      },
    ],
    test: {
      file: "packages/http-server/test/command/config.test.ts",
      name: "shows what another role would get",
    },
  },
  {
    id: "W-49",
    title: "A server that has no /readyz is never ready",
    faults: [
      {
        file: "packages/core/src/protocols/cms-control.ts",
        find: 'const PROBE_PATHS = ["/readyz", "/info", "/v1/models"];',
        replace: 'const PROBE_PATHS = ["/readyz"];',
      },
    ],
    test: {
      file: "packages/core/test/protocols/cms-control.test.ts",
      name: "asks /v1/models last, and hears which models there are",
    },
  },
  {
    id: "W-50",
    title: "Servers that want to know who asks answer 401 to everything",
    open: "Credentials in the address of a server are sent with every call. The token of a user, which a server with users asks for, is not.",
  },
  {
    id: "W-51",
    title: "Generation, embeddings, streams and all else that servers can do are out of reach",
    open: "The 18 tasks are there, training with its evaluation and cancelling included. Direct calls that pass through (generation, embeddings, streams) are not.",
  },
  {
    id: "W-54",
    title: "One model that the tracker tells wrongly breaks the whole listing",
    faults: [
      {
        file: "packages/http-server/src/routes/model-tracking.ts",
        find: "  const [type, text] = await Promise.allSettled([",
        replace:
          "  await tracking.describe(uri, { signal });\n  const [type, text] = await Promise.allSettled([",
      },
      {
        file: timedReader,
        find: "return ask(key, signal).catch(() => ({ value: undefined, keepMs: keepFailuresMs }));",
        replace: "return ask(key, signal);",
      },
    ],
    test: {
      file: modelsTracking,
      name: "is left out, once told of, and asked for again later when the tracker fails in whatever way",
    },
  },
  {
    id: "W-55",
    title: "A call that takes long stops the whole process meanwhile",
    faults: [
      {
        file: timedReader,
        find: "      if (performance.now() >= tooLateAtMs) return Promise.resolve(NOT_ASKED);",
        replace: "      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 60);",
      },
    ],
    test: {
      file: modelsTracking,
      name: "comes within its limit for 50 models whose tracker hangs and whose servers do not",
    },
  },
  {
    id: "W-56",
    title: "Calls to servers have no time limit",
    faults: [
      {
        file: "packages/core/src/protocols/exchange.ts",
        find: "this.#cancelTimer = clock.after(request.timeoutMs, () => {",
        replace: "this.#cancelTimer = clock.after(request.timeoutMs + 86_400_000, () => {",
      },
    ],
    test: {
      file: "packages/core/test/protocols/cms-faults.test.ts",
      name: "is broken by the time limit, and the server sees the close",
    },
  },
  {
    id: "W-57",
    title: "Which part is unhealthy is lost from the answer",
    faults: [
      {
        file: "packages/http-server/src/routes/service.ts",
        find: "{ ...body, detail: body }",
        replace: "{ status: body.status, detail: body.status }",
      },
    ],
    test: {
      file: "packages/http-server/test/service.test.ts",
      name: "is unhealthy with a 503 that has the components in both places where they are looked for",
    },
  },
  {
    id: "W-58",
    title: "The health check never asks the object store",
    faults: [
      {
        file: "packages/core/src/gateway.ts",
        find: 'answers((signal) => objects.stat("health/check", { signal })),',
        replace: 'answers(async () => "never asked"),',
      },
    ],
    test: {
      file: "packages/core/test/gateway/health.test.ts",
      name: "the health of a gateway is what its stores answer, each asked for something real",
    },
  },
  {
    id: "W-59",
    title: "Every path that anybody asks for makes a series of its own",
    faults: [
      {
        file: "packages/http-server/src/metrics/observe-routes.ts",
        find: "metrics.observe(path, request.method,",
        replace: "metrics.observe(`${path}/${params.join()}`, request.method,",
      },
    ],
    test: {
      file: "packages/http-server/test/metrics.test.ts",
      name: "count requests by the pattern of their route, wherever it is mounted",
    },
  },
  {
    id: "W-60",
    title: "Every task makes a series of its own, with who sent it",
    faults: [
      {
        file: "packages/http-server/src/metrics/series.ts",
        find: "    if (this.#names.size >= this.#most) return OTHER;",
        replace: "    if (this.#most === 0) return OTHER;",
      },
    ],
    test: {
      file: "packages/http-server/test/metrics-bounds.test.ts",
      name: "hold 200 models and the known operations and codes, and not one more",
    },
  },
  {
    id: "W-61",
    title: "A null in the configuration file keeps the gateway from starting",
    faults: [
      {
        file: "packages/http-server/src/command/settings/config-file/take-keys.ts",
        find: "if (value !== null && value !== undefined) taken.push({ key, value });",
        replace: "taken.push({ key, value });",
      },
    ],
    test: {
      file: "packages/http-server/test/command/settings.test.ts",
      name: "pass over a null in a file",
    },
  },
  {
    id: "W-62",
    title: "One queue needs a database, a broker and an object store",
    faults: [
      {
        file: "packages/http-server/src/command/settings/store-settings.ts",
        find: 'default: "sqlite",',
        replace: 'default: "postgres",',
      },
    ],
    test: {
      file: "packages/http-server/test/command/config.test.ts",
      name: "shows what each setting is and where it comes from",
    },
  },
  {
    id: "W-63",
    title: "Texts of callers stand in the log",
    faults: [
      {
        file: "packages/core/src/gateway/intake.ts",
        find: "if (body.byteLength > maxPayloadBytes) throw tooLarge();",
        replace:
          "if (body.byteLength > maxPayloadBytes) throw tooLarge();\n      console.error(JSON.stringify({ time: '', level: 'debug', message: `${new TextDecoder().decode(body)}` }));",
      },
    ],
    test: {
      file: command,
      name: "writes no text that it was sent into its log, in plain or in JSON",
    },
  },
  {
    id: "W-64",
    title: "Payloads and results are kept for ever",
    faults: [
      {
        file: "packages/core/src/memory/task-table.ts",
        find: "if (request.retention !== undefined)",
        replace: "if (request.retention !== undefined && room < 0)",
      },
    ],
    test: {
      file: ledgerKit,
      name: "a payload is forgotten when its age is over, and nothing else",
      written: { file: ofKit("retention") },
    },
  },
  {
    id: "W-65",
    title: "Every listing inspects every container anew",
    faults: [
      {
        file: "packages/adapters-docker/src/discovery/docker-discovery.ts",
        find: "    const known = this.#known.get(id);\n    if (known === undefined) return false;\n    const startedAtMs",
        replace:
          "    const known = this.#known.get(id);\n    if (known === undefined || upForMs !== -1) return false;\n    const startedAtMs",
      },
    ],
    test: {
      file: "packages/adapters-docker/test/discovery/read-only.test.ts",
      name: "inspects no container twice, and none that does not run, however often it lists",
      services: ["docker"],
    },
  },
  {
    id: "W-66",
    title: "A connection that broke while it rested fails the next call",
    faults: [
      {
        file: "packages/adapters-storage/src/postgres/pool.ts",
        find: "wasConnected && isLost(error) && tries < 2;",
        replace: "wasConnected && isLost(error) && tries < 1;",
      },
      {
        file: "packages/adapters-storage/src/postgres/pool.ts",
        find: "client.release(isDoubtful);",
        replace: "client.release(isDoubtful && false);",
      },
    ],
    test: {
      file: "packages/adapters-storage/test/postgres/lost-answers.test.ts",
      name: "of a submission is found again, so that its sender sees no failure and there is one task",
      services: ["pg"],
    },
  },
  {
    id: "W-67",
    title: "A request that a client sends again makes a second task",
    faults: [
      {
        file: "packages/core/src/memory/task-table.ts",
        find: "if (first !== undefined) return this.#repeated(first);",
        replace: "if (first === null) return this.#repeated(first);",
      },
    ],
    test: {
      file: "packages/core/test/gateway/idempotency.test.ts",
      name: "gives the same request the task that it made at first, however its bytes come",
    },
  },
  {
    id: "W-68",
    title: "There are neither users nor rights, no planning, and hardly any tests",
    open: "Tasks are planned by rank and room, and every package is tested. There is one key for administrators; users with rights and quotas are not there yet.",
  },
];
