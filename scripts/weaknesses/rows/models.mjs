// biome-ignore-all lint/suspicious/noTemplateCurlyInString: faults are pieces of sources.
// On-demand configurations, what is deployed of them, and how models are shown.

const starting = "packages/core/test/deployments/starting.test.ts";
const deployments = "packages/http-server/test/deployments.test.ts";

export const models = [
  {
    id: "W-30",
    title: "A configuration that asks for memory or CPUs is not deployed as it says",
    faults: [
      {
        file: "packages/adapters-docker/src/deployer/cms-template.ts",
        find: "limits: { ...settings.limits, ...demands.limits },",
        replace: "limits: { ...settings.limits },",
      },
    ],
    test: {
      file: "packages/adapters-docker/test/deployer/cms-template.test.ts",
      name: "takes what is demanded of one server before what holds for all",
    },
  },
  {
    id: "W-31",
    title: "The resources of an on-demand model are never shown",
    faults: [
      {
        file: "packages/http-server/src/routes/model-listing.ts",
        find: "    deploy: demandsForm(demands),",
        replace: "    resources: demandsForm(demands),",
      },
    ],
    test: {
      file: "packages/http-server/test/deployments-models.test.ts",
      name: "are listed, until they run",
    },
  },
  {
    id: "W-32",
    title: "The gateway's own settings of the tracker are ignored for those of the model servers",
    faults: [
      {
        file: "packages/http-server/src/command/from-cmg/read-file.ts",
        find: "  if (isExplicit) {",
        replace: "  if (isExplicit && given.size === 0) {",
      },
    ],
    test: {
      file: "packages/http-server/test/command/cmg-tracking.test.ts",
      name: "the tracker of the gateway is the one that CMG's file names for it, and not that of the model servers",
    },
  },
  {
    id: "W-33",
    title: "How many deployments may begin at once is a setting that nobody reads",
    faults: [
      {
        file: "packages/core/src/deployments/actions.ts",
        find: "return atWork >= this.#host.options.maxConcurrent;",
        replace: "return atWork < 0;",
      },
    ],
    test: { file: starting, name: "begin when it is their turn, no more at once than may" },
  },
  {
    id: "W-38",
    title: "A number of CPUs that is none is found out when the server is made",
    faults: [
      {
        file: "packages/http-server/src/routes/deployments-resources.ts",
        find: '  return fields.refuse("cpus", "value_error", msg);',
        replace: "  return msg === undefined ? undefined : cpus;",
      },
      {
        file: "packages/core/src/deployments/validate-demands.ts",
        find: "!(cpus > 0 && cpus <= MAX_CPUS)",
        replace: "cpus > MAX_CPUS",
      },
    ],
    test: { file: deployments, name: "refuse fields that are wrong with 422" },
  },
  {
    id: "W-42",
    title: "Two who deploy one model at once end in an error",
    faults: [
      {
        file: "packages/core/src/deployments/deployments.ts",
        find: "if (found.generation !== entry.generation && !joins(found, entry)) throw conflict(found);",
        replace: 'if (found.generation !== entry.generation) throw new Error("it is there already");',
      },
    ],
    test: {
      file: "packages/core/test/deployments/removing.test.ts",
      name: "joins an equal request in progress, and refuses another",
    },
  },
  {
    id: "W-43",
    title: "A life without an end passes any maximum",
    faults: [
      {
        file: "packages/core/src/deployments/validate-ttl.ts",
        find: "(ttlMs === null || ttlMs > maxTtlMs)",
        replace: "ttlMs !== null && ttlMs > maxTtlMs",
      },
    ],
    test: {
      file: "packages/core/test/deployments/validate.test.ts",
      name: "is never beyond the maximum, the policy's own included",
    },
  },
  {
    id: "W-44",
    title: "A deployment that a person asks for cannot have resources",
    faults: [
      {
        file: "packages/http-server/src/routes/deployments.ts",
        find: "    demands: readDemands(body),",
        replace: "    demands: readDemands(body) && undefined,",
      },
    ],
    test: { file: deployments, name: "give a server what it is asked to have" },
  },
  {
    id: "W-52",
    title: "Two who configure one model at once overwrite each other",
    faults: [
      {
        file: "packages/core/src/deployments/configurations-store.ts",
        find: "const written = await this.#call(options, (each) =>\n        this.#records.put(key, value, record?.version ?? null, each),\n      );",
        replace:
          "const written = await this.#call(options, async (each) =>\n        this.#records.put(key, value, (await this.#records.get(key, each))?.version ?? null, each),\n      );",
      },
    ],
    test: {
      file: "packages/core/test/deployments/configurations.test.ts",
      name: "leave one enabled, and ids that nobody else has",
    },
  },
  {
    id: "W-53",
    title: "A folder of the name model becomes the address model",
    faults: [
      {
        file: "packages/adapters-mlflow/src/models.ts",
        find: "return `runs:/${runId}/${folder}`;",
        replace: 'return folder === "model" ? folder : `runs:/${runId}/${folder}`;',
      },
    ],
    test: {
      file: "packages/adapters-mlflow/test/addresses.test.ts",
      name: "is the folder of the name model, as an address of the run",
      services: ["mlflow"],
    },
  },
];
