// biome-ignore-all lint/suspicious/noTemplateCurlyInString: faults are pieces of sources.
// The life of servers that the gateway makes, and containers that are not ours.

const removing = "packages/core/test/deployments/removing.test.ts";
const starting = "packages/core/test/deployments/starting.test.ts";
const decide = "packages/core/src/deployments/decide.ts";
const containers = "packages/adapters-docker/test/discovery/containers.test.ts";
const services = ["docker"];

export const deploying = [
  {
    id: "W-34",
    title: "A model whose container is gone stays ready on paper, and fails every request",
    faults: [
      {
        file: decide,
        find: 'return server === undefined || server.state === "stopped";',
        replace: "return server === undefined && servers === undefined;",
      },
    ],
    test: { file: removing, name: "comes back when its server was lost, with the rest of its time" },
  },
  {
    id: "W-35",
    title: "After a restart of the host all deployed models stay stopped",
    faults: [
      {
        file: "packages/core/src/deployments/server-spec.ts",
        find: 'restart: kind === "manual" ? "unless-stopped" : "no",',
        replace: 'restart: kind === undefined ? "unless-stopped" : "no",',
      },
    ],
    test: {
      file: starting,
      name: "that a person asked for are started again with their host, without a gateway",
    },
  },
  {
    id: "W-36",
    title: "A container of an earlier deployment that has the name makes each deployment fail",
    faults: [
      {
        file: decide,
        find: '    : { kind: "removeStray", server };',
        replace: "    : undefined;",
      },
    ],
    test: {
      file: removing,
      name: "is made once the server is gone that an earlier one left behind",
    },
  },
  {
    id: "W-37",
    title: "A deployment that takes longer than five minutes counts as abandoned",
    faults: [
      {
        file: decide,
        find: "const isDriven = entry.driver !== undefined && isLive(entry.driver);",
        replace:
          "const isDriven = entry.driver !== undefined && isLive(entry.driver) && nowMs - entry.createdAtMs < 300_000;",
      },
    ],
    test: {
      file: starting,
      name: "that take longer than anybody expects stay with the gateway that drives them, and end when they are idle",
    },
  },
  {
    id: "W-39",
    title: "A server is removed during a training, or before its waiting task",
    faults: [
      {
        file: "packages/core/src/tasks/runner.ts",
        find: "      if (grant.server !== server) continue;",
        replace: "      if (grant.server !== server || grant.task.background) continue;",
      },
      {
        file: "packages/core/src/deployments/actions.ts",
        find: "return items.length > 0;",
        replace: "return items.length < 0;",
      },
    ],
    test: {
      file: "packages/core/test/deployments/on-demand.test.ts",
      name: "stays while a training runs that is longer, and goes after it",
    },
  },
  {
    id: "W-40",
    title: "One label that cannot be read ends whoever looks at the containers",
    faults: [
      {
        file: "packages/adapters-docker/src/discovery/describe-container.ts",
        find: "if (value === undefined) problems.push({ label: labels[name], problem: `is not ${fix}` });",
        replace: "if (value === undefined) throw new Error(`${text} is not ${fix}`);",
      },
    ],
    test: {
      file: containers,
      name: "are told with a warning, and found all the same, when a label cannot be understood",
      services,
    },
  },
  {
    id: "W-45",
    title: "A shell reads the address of a model",
    faults: [
      {
        file: "packages/adapters-docker/src/deployer/cms-template.ts",
        find: '        ...program,\n        "serve",',
        replace: '        ...["sh", "-c", `${program.join(" ")} serve --mlflow-model-uri ${modelUri}`],',
      },
    ],
    test: {
      file: "packages/adapters-docker/test/deployer/cms-template.test.ts",
      name: "hands no name and no address to a shell",
    },
  },
  {
    id: "W-46",
    title: "Anybody may stop and remove a container that the gateway did not make",
    faults: [
      {
        file: "packages/adapters-docker/src/deployer/remove-server.ts",
        find: "  requireOurs(container,",
        replace: "  if (installation === undefined) requireOurs(container,",
      },
    ],
    test: {
      file: "packages/adapters-docker/test/deployer/kit.test.ts",
      name: "to remove a stranger's server rejects with NOT_OURS, and leaves it untouched",
      written: { file: "packages/core/src/testing/deployer-kit/owning.ts" },
      services,
    },
  },
  {
    id: "W-47",
    title: "A container that is paused or about to be started again cannot be removed",
    faults: [
      {
        file: "packages/adapters-docker/src/deployer/remove-server.ts",
        find: "if (Running || Restarting) {",
        replace: "if (Running && !Restarting && !container.State.Paused) {",
      },
      {
        file: "packages/adapters-docker/src/deployer/remove-server.ts",
        find: "query: { force: true, v: true },",
        replace: "query: { force: false, v: true },",
      },
    ],
    test: {
      file: "packages/adapters-docker/test/deployer/names.test.ts",
      name: "is free again when its server is removed in whatever state: paused, or restarting",
      services,
    },
  },
  {
    id: "W-48",
    title: "The address of a server is looked up once, right after the start",
    faults: [
      {
        file: "packages/adapters-docker/src/discovery/docker-discovery.ts",
        find: "if (id !== undefined && this.#known.has(id)) this.#lookSoon(id);\n      return;",
        replace: "return void id;",
      },
    ],
    test: {
      file: containers,
      name: "are reached in the network that an option or their label names",
      services,
    },
  },
];
