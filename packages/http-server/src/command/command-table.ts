import type { Call, CommandSpec, OptionSpec } from "./command-spec.ts";
import type { RoleName } from "./settings/setting.ts";

const JSON_OUTPUT: OptionSpec = { name: "json", text: "write JSON" };
const OUTPUT: OptionSpec = {
  name: "output",
  value: "FILE",
  short: "o",
  text: "write the result to a file, which appears once it is complete",
};

const one = { least: 1, most: 1 } as const;
const none = { least: 0, most: 0 } as const;

/** Every command, in the order of the help text. */
export const COMMANDS: readonly CommandSpec[] = [
  {
    name: "serve",
    summary: "run a gateway: modelgate serve --server NAME=URL",
    forms: ["[options]"],
    text: "Runs a gateway with everything in one process, and without further settings in one directory, until it is told to stop.",
    arguments: none,
    options: [],
    examples: [
      ["modelgate serve --server nlp=http://127.0.0.1:8001", "one model, data in ./.modelgate"],
      ["modelgate serve --config /etc/modelgate.json --json-logs", "settings from a file"],
      ["MODELGATE_PORT=9000 modelgate serve --host 0.0.0.0", "settings from the environment and from flags"],
    ],
    load: () => roleOf("serve"),
  },
  {
    name: "gateway",
    summary: "serve the API, and leave the running to schedulers",
    forms: ["[options]"],
    text: "Serves the API: takes tasks and tells of them. Schedulers on the same stores run them. There may be any number of both.",
    arguments: none,
    options: [],
    examples: [
      ["modelgate gateway --config /etc/modelgate.yaml", "settings that all processes share"],
      ["modelgate gateway --config /etc/modelgate.yaml --port 8889", "another one on the same machine"],
    ],
    load: () => roleOf("gateway"),
  },
  {
    name: "scheduler",
    summary: "run tasks that gateways take",
    forms: ["[options]"],
    text: "Runs tasks, and takes over what a scheduler held that died. It serves no API; --port lets monitoring ask for /healthz and /metrics.",
    arguments: none,
    options: [],
    examples: [
      ["modelgate scheduler --config /etc/modelgate.yaml", "settings that all processes share"],
      ["modelgate scheduler --config /etc/modelgate.yaml --port 9100", "with a port for monitoring"],
    ],
    load: () => roleOf("scheduler"),
  },
  {
    name: "reaper",
    summary: "end, forget and remove what is due",
    forms: ["[options]"],
    text: "Looks after what the stores hold: ends what waited too long, takes back what lost its lease, forgets what retention names, and deletes objects that no task names. It runs no task.",
    arguments: none,
    options: [{ name: "once", text: "do it once, and end" }, JSON_OUTPUT],
    examples: [
      ["modelgate reaper --config /etc/modelgate.yaml", "beside gateways and schedulers"],
      ["modelgate reaper --config /etc/modelgate.yaml --once", "from a timer"],
    ],
    load: async () => (await import("./roles/reaper.ts")).reaper,
  },
  {
    name: "models",
    summary: "models that can be asked",
    forms: ["[options]"],
    text: "Lists the models of a running gateway.",
    arguments: none,
    options: [{ name: "verbose", text: "also what the servers say of themselves" }, JSON_OUTPUT],
    examples: [
      ["modelgate models", "names and states"],
      ["modelgate models --verbose --json", "everything that is known, for a script"],
    ],
    load: async () => (await import("./models.ts")).models,
  },
  {
    name: "tasks",
    summary: "list tasks, or show one",
    forms: ["[options]", "ID [options]"],
    text: "Lists tasks, newest first, or shows one of them. Listing needs the admin key.",
    arguments: { least: 0, most: 1 },
    options: [
      {
        name: "status",
        value: "STATE",
        isList: true,
        text: "pending, scheduled, running, succeeded, failed or cancelled; may be repeated",
      },
      { name: "model", value: "NAME", text: "of this model" },
      { name: "type", value: "TASK", text: "of this operation, such as process" },
      { name: "limit", value: "N", text: "at most so many (default 20)" },
      { name: "all", text: "all of them, page by page" },
      JSON_OUTPUT,
    ],
    examples: [
      ["modelgate tasks --status failed --model nlp", "what failed last"],
      ["modelgate tasks --all --json", "everything, for a script"],
      ["modelgate tasks 0198b0c2", "one task in detail"],
    ],
    load: async () => (await import("./tasks.ts")).tasks,
  },
  {
    name: "cancel",
    summary: "end a task",
    forms: ["ID [options]"],
    text: "Asks for the end of a task. A waiting one ends at once; one that runs is told.",
    arguments: one,
    options: [JSON_OUTPUT],
    examples: [
      ["modelgate cancel 0198b0c2", "ends it"],
      ["modelgate cancel 0198b0c2 --json", "the state that it is in then"],
    ],
    load: async () => (await import("./cancel.ts")).cancel,
  },
  {
    name: "retry",
    summary: "submit an ended task again",
    forms: ["ID [options]"],
    text: "Makes a new task like one that has ended, and writes its id.",
    arguments: one,
    options: [JSON_OUTPUT],
    examples: [
      ["modelgate retry 0198b0c2", "the id of the new task"],
      ["modelgate retry 0198b0c2 --json", "the same for a script"],
    ],
    load: async () => (await import("./retry.ts")).retry,
  },
  {
    name: "result",
    summary: "fetch what a task brought",
    forms: ["ID [options]"],
    text: "Writes the result of a task as the model server gave it; of a failed one, what the server answered.",
    arguments: one,
    options: [OUTPUT],
    examples: [
      ["modelgate result 0198b0c2", "on standard output"],
      ["modelgate result 0198b0c2 --output answer.json", "into a file"],
    ],
    load: async () => (await import("./result.ts")).result,
  },
  {
    name: "submit",
    summary: "submit a task",
    forms: [
      "FILE --model M --task T [options]",
      "- --model M --task T [options]",
      "--model M --task T --file NAME=PATH… [options]",
    ],
    text: "Submits a file, or standard input, as a task, and writes the task's id. Files of any size are streamed.",
    arguments: { least: 0, most: 1 },
    options: [
      { name: "model", value: "M", text: "the model" },
      { name: "task", value: "T", text: "the operation, such as process, redact or train_supervised" },
      { name: "priority", value: "N", text: "0 (background) to 10 (urgent) (default 5)" },
      { name: "query", value: "NAME=VALUE", isList: true, text: "for the server's query; may be repeated" },
      {
        name: "content-type",
        value: "TYPE",
        text: "media type of the file (default: what the task expects)",
      },
      { name: "field", value: "NAME=VALUE", isList: true, text: "field of a form; may be repeated" },
      {
        name: "file",
        value: "NAME=PATH",
        isList: true,
        text: "file of a form; NAME=PATH;type=TYPE names its media type; may be repeated",
      },
      { name: "idempotency-key", value: "KEY", text: "makes it harmless to submit the same again" },
      { name: "watch", text: "wait for the end, and write the result in place of the id" },
      OUTPUT,
      JSON_OUTPUT,
    ],
    examples: [
      ["modelgate submit note.txt --model nlp --task process --watch", "the answer on standard output"],
      [
        "cat notes.ndjson | modelgate submit - --model nlp --task process_jsonl --priority 8",
        "from a pipe, and urgent",
      ],
      [
        "modelgate submit --model nlp --task train_supervised --file trainer_export=@export.json --field description=first",
        "a form",
      ],
    ],
    load: async () => (await import("./submit.ts")).submit,
  },
  {
    name: "deploy",
    summary: "start a server for a model",
    forms: ["MODEL --uri URI [options]", "MODEL --tracking-id ID [options]"],
    text: "Deploys a model at a running gateway, and waits until its server is started. With --dry-run it tells what a gateway with these settings would do, and starts nothing.",
    arguments: one,
    options: [
      { name: "uri", value: "URI", text: "where the model is, such as s3://… or models:/NAME/3" },
      { name: "tracking-id", value: "ID", text: "the run that made the model, in place of its URI" },
      {
        name: "ttl",
        value: "DURATION",
        text: "time to live, such as 90m, 24h or 7d, or never (default: the gateway's)",
      },
      { name: "memory", value: "SIZE", text: "memory that its server may take, such as 4g" },
      { name: "cpus", value: "N", text: "CPUs that its server may take, such as 0.5" },
      { name: "gpus", value: "N", text: "graphics cards for its server, or all" },
      { name: "wait", text: "wait until its server is ready" },
      { name: "dry-run", text: "start nothing, and write what would be started and what stands against it" },
      JSON_OUTPUT,
    ],
    examples: [
      ["modelgate deploy ner --uri models:/ner/3 --ttl 24h --wait", "until it can be asked"],
      [
        "modelgate deploy ner --uri models:/ner/3 --memory 4g --dry-run --config /etc/modelgate.yaml",
        "what it would be",
      ],
    ],
    load: async () => (await import("./deploy/deploy.ts")).deploy,
  },
  {
    name: "undeploy",
    summary: "remove a deployed server",
    forms: ["MODEL [options]"],
    text: "Lets a deployed server finish what runs, and removes it. Servers that the gateway did not deploy are left alone.",
    arguments: one,
    options: [{ name: "force", text: "also what failed, or is gone already" }, JSON_OUTPUT],
    examples: [
      ["modelgate undeploy ner", "waits until it is gone"],
      ["modelgate undeploy ner --force --json", "in a script, whatever there is"],
    ],
    load: async () => (await import("./deploy/undeploy.ts")).undeploy,
  },
  {
    name: "deployments",
    summary: "list what is deployed",
    forms: ["[options]"],
    text: "Lists deployments: what each does, until when it stays, and why it failed.",
    arguments: none,
    options: [JSON_OUTPUT],
    examples: [
      ["modelgate deployments", "a table"],
      ["modelgate deployments --json", "everything that is known, for a script"],
    ],
    load: async () => (await import("./deploy/deployments.ts")).deployments,
  },
  {
    name: "logs",
    summary: "what a deployed server wrote",
    forms: ["MODEL [options]"],
    text: "Writes the last lines of a deployed server, or of the one that failed; secrets in them are masked. It needs the admin key.",
    arguments: one,
    options: [{ name: "tail", value: "N", text: "at most so many lines (default 100)" }, JSON_OUTPUT],
    examples: [
      ["modelgate logs ner", "why it does not start"],
      ["modelgate logs ner --tail 1000", "as many as a gateway gives"],
    ],
    load: async () => (await import("./deploy/logs.ts")).logs,
  },
  {
    name: "config",
    summary: "show the settings, and what is wrong with them",
    forms: ["[options]"],
    text: "Writes every setting as a role would get it, with where it comes from. Secrets are not shown. It takes every setting.",
    arguments: none,
    options: [
      { name: "check", text: "end with 2 when anything is wrong" },
      { name: "role", value: "ROLE", text: "serve, gateway, scheduler or reaper (default serve)" },
      {
        name: "from-cmg",
        value: "FILE",
        text: "write what a file of CogStack's gateway, and its variables, come to, as a file for --config",
      },
      { name: "show-secrets", text: "for --from-cmg: secrets, too" },
      JSON_OUTPUT,
    ],
    examples: [
      ["modelgate config --from-cmg config.json > modelgate.yaml", "CogStack's settings as ours"],
      ["modelgate config --check --config /etc/modelgate.yaml", "before a start"],
      ["modelgate config --role scheduler --json", "what the environment says to a scheduler"],
    ],
    takesProblems: true,
    load: async () => (await import("./config.ts")).config,
  },
  {
    name: "migrate",
    summary: "bring the database's schema up to date",
    forms: ["[options]"],
    text: "Creates or updates the tables in PostgreSQL, or writes the SQL for whoever does. A start does it by itself unless postgres.migrate is false.",
    arguments: none,
    options: [
      { name: "sql", text: "write the SQL, and touch no database" },
      {
        name: "from",
        value: "N",
        text: "for --sql: the version that the schema has (default 0: there is none)",
      },
      {
        name: "from-cmg",
        text: "take over what CogStack's gateway has kept, where its CMG_… variables say",
      },
      { name: "dry-run", text: "for --from-cmg: write nothing, and say what would come" },
      { name: "without-queue", text: "for --from-cmg: leave behind what waits there" },
      JSON_OUTPUT,
    ],
    examples: [
      ["modelgate migrate --config /etc/modelgate.yaml", "does it"],
      ["modelgate migrate --store postgres --sql > schema.sql", "for a database administrator"],
      ["modelgate migrate --from-cmg --dry-run", "what would come from CogStack's gateway"],
    ],
    load: async () => (await import("./migrate.ts")).migrate,
  },
  {
    name: "adopt",
    summary: "take over servers that CogStack's gateway deployed",
    forms: ["[MODEL…] [options]"],
    text: "Takes over the containers that CogStack's gateway deployed, or those of some models: from then on their time to live is looked after here, and undeploy removes them. The containers themselves stay as they are; those that somebody else runs are never taken.",
    arguments: { least: 0, most: 1_000 },
    options: [
      { name: "dry-run", text: "write nothing, and say what would be taken over" },
      {
        name: "managed-by",
        value: "VALUE",
        text: "what that gateway writes into its label of who deployed a server (default cmg)",
      },
      JSON_OUTPUT,
    ],
    examples: [
      ["modelgate adopt --dry-run --config /etc/modelgate.yaml", "what there is to be taken over"],
      ["modelgate adopt ner --config /etc/modelgate.yaml", "one of them"],
    ],
    load: async () => (await import("./adopt.ts")).adopt,
  },
  {
    name: "doctor",
    summary: "find out what is wrong",
    forms: ["[options]"],
    text: "Looks at what a gateway needs and says what is wrong and how to mend it. It takes the options of serve, and disturbs no gateway that runs.",
    arguments: none,
    options: [{ name: "full", text: "check the whole database, however large" }, JSON_OUTPUT],
    examples: [
      ["modelgate doctor --server nlp=http://127.0.0.1:8001", "with the options of serve"],
      ["modelgate doctor --config /etc/modelgate.json --json", "for a script"],
    ],
    takesProblems: true,
    load: async () => (await import("./doctor/doctor.ts")).doctor,
  },
  {
    name: "sweep",
    summary: "remove objects that no task names",
    forms: ["[options]"],
    text: "Looks through the object store for objects that no task names any more, as a crash may leave them, and deletes them. Gateways may run meanwhile.",
    arguments: none,
    options: [
      { name: "dry-run", text: "delete nothing, and write their keys" },
      {
        name: "min-age-ms",
        value: "N",
        text: "spare objects that are younger; at least an hour (default: a day)",
      },
      JSON_OUTPUT,
    ],
    examples: [
      ["modelgate sweep --dry-run", "what would be deleted"],
      ["modelgate sweep --data-dir /var/lib/modelgate", "deletes it"],
    ],
    load: async () => (await import("./sweep.ts")).sweep,
  },
  {
    name: "backup",
    summary: "copy a data directory while gateways use it",
    forms: ["<directory> [options]"],
    text: "Copies the database as it is at one moment, and all objects that it names, into a directory, which is a data directory then. Again into the same directory, it copies what is new.",
    arguments: one,
    options: [JSON_OUTPUT],
    examples: [
      ["modelgate backup /backup/modelgate", "of ./.modelgate"],
      ["modelgate backup /backup/modelgate --data-dir /var/lib/modelgate", "of another directory"],
    ],
    load: async () => (await import("./backup/backup.ts")).backup,
  },
];

async function roleOf(name: RoleName): Promise<(call: Call) => Promise<number>> {
  const [{ runRole }, { ROLES }] = await Promise.all([
    import("./roles/run-role.ts"),
    import("./roles/role.ts"),
  ]);
  return (call) => runRole(ROLES[name], call);
}
