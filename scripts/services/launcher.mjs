// Starts a set of services side by side and says what came of each. A service that the environment names already is
// used as it is.

import { startCeph } from "./ceph.mjs";
import { startDocker } from "./docker.mjs";
import { findMinio, startMinio } from "./minio.mjs";
import { installMlflow, startMlflow } from "./mlflow.mjs";
import { installPackages, whyNot } from "./packages.mjs";
import { startPgbouncer } from "./pgbouncer.mjs";
import { startPostgres } from "./postgres.mjs";
import { startPrometheus } from "./prometheus.mjs";
import { installPythonClient, startPythonClient } from "./python-client.mjs";
import { startRabbitmq } from "./rabbitmq.mjs";
import { keepRabbitmq4 } from "./rabbitmq-binaries.mjs";
import { keepValkey, startRedis, startValkey } from "./redis.mjs";

/**
 * `variables` of the environment name the service; `after` is what has to be there before, and `install` brings what is
 * in no package of this Debian. One that `isExtra` is started only where somebody asked for it.
 */
export const services = {
  pg: { title: "PostgreSQL 15", variables: ["PG_URL"], start: () => startPostgres({ version: 15 }) },
  pg18: { title: "PostgreSQL 18", variables: ["PG18_URL"], start: () => startPostgres({ version: 18 }) },
  pgbouncer: {
    title: "pgbouncer in transaction mode, in front of PostgreSQL 15",
    variables: ["PGBOUNCER_URL"],
    after: "pg",
    start: (env) => {
      if (!env.PG_URL) throw new Error("stands in front of PostgreSQL 15, which did not start");
      return startPgbouncer({ url: env.PG_URL });
    },
  },
  redis: {
    title: "Redis 7, which keeps nothing over a restart",
    variables: ["REDIS_URL"],
    start: () => startRedis(),
  },
  valkey: {
    title: "Valkey 8, which keeps nothing over a restart",
    variables: ["VALKEY_URL"],
    install: (options) => keepValkey(options),
    start: (_env, { say }) => startValkey({ say }),
  },
  rabbitmq: {
    title: "RabbitMQ 3.10 with its management plugin",
    variables: ["AMQP_URL"],
    start: () => startRabbitmq(),
  },
  rabbitmq4: {
    title: "RabbitMQ 4, only with --with rabbitmq4",
    variables: ["AMQP4_URL"],
    isExtra: true,
    install: (options) => keepRabbitmq4(options),
    start: (_env, { say }) => startRabbitmq({ version: 4, say }),
  },
  s3: {
    title: "Ceph's S3 gateway on a store in memory",
    variables: ["S3_ENDPOINT", "S3_ACCESS_KEY", "S3_SECRET_KEY"],
    start: () => startCeph(),
  },
  minio: {
    title: "MinIO, a second S3 server, only where MODELGATE_MINIO_BINARY names it or with --build-minio",
    variables: ["MINIO_ENDPOINT", "MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"],
    isExtra: true,
    start: (_env, { buildMinio, say }) => startMinio({ build: buildMinio, say }),
  },
  docker: {
    title: "a Docker Engine in a network of its own, with a registry of images",
    variables: ["DOCKER_SOCKET", "DOCKER_TEST_IMAGE"],
    start: () => startDocker(),
  },
  mlflow: {
    title: "MLflow 3, or 2 with MODELGATE_MLFLOW_VERSION=2",
    variables: ["MLFLOW_URL"],
    install: (options) => installMlflow(options),
    start: (_env, { say }) => startMlflow({ say }),
  },
  prometheus: {
    title: "Prometheus, which scrapes what files in the folder PROM_TARGETS name",
    variables: ["PROM_URL", "PROM_TARGETS"],
    start: () => startPrometheus(),
  },
  "python-client": {
    title: "the Python client of CogStack's own gateway, in a folder of its own",
    variables: ["CMG_CLIENT_PYTHON"],
    install: (options) => installPythonClient(options),
    start: (_env, options) => startPythonClient(options),
  },
};

/** What is started when nobody says which. */
export function usualServices({ buildMinio = false, more = [] } = {}) {
  const asked = [...more];
  if (buildMinio || process.env.MODELGATE_MINIO_BINARY) asked.push("minio");
  return Object.keys(services).filter((name) => !services[name].isExtra || asked.includes(name));
}

/** The names in `text`, separated by commas; throws for one that there is not. */
export function readNames(option, text) {
  const names = text.split(",").filter((name) => name !== "");
  if (names.length > 0 && names.every((name) => Object.hasOwn(services, name))) return names;
  throw new Error(
    `${option} is "${text}"; give some of ${Object.keys(services).join(",")}, separated by commas`,
  );
}

/** On a machine that does much else, a start may come too late for its own limits, or its parts for each other. */
async function startTwice(name, env, options) {
  try {
    return await services[name].start(env, options);
  } catch (error) {
    options.say(`${name} did not start, and is tried once more: ${error.message.split("\n")[0]}`);
    return await services[name].start(env, options);
  }
}

/**
 * Starts `names` and what they stand on. `env` holds the variables of those that came up, `failed` one
 * `{ name, reason }` for each that did not; `close` ends all of them and removes their data.
 */
export async function startServices(names, { say = () => {}, buildMinio = false } = {}) {
  const given = Object.keys(services).filter(isGiven);
  for (const name of given.filter((each) => names.includes(each))) {
    say(`${name} is given by ${services[name].variables[0]}, so it is not started`);
  }
  const asked = names.filter((name) => !given.includes(name));
  const wanted = new Set(asked.flatMap((name) => [services[name].after ?? name, name]));
  const own = Object.keys(services).filter((name) => wanted.has(name) && !given.includes(name));

  const running = [];
  const failed = [];
  const env = {};
  const begun = performance.now();
  if (process.platform === "linux") await installPackages(own, say);
  const startOne = async (name) => {
    const from = performance.now();
    try {
      const reason = whyNotHere(name, buildMinio);
      if (reason !== undefined) throw new Error(reason);
      const service = await startTwice(name, { ...process.env, ...env }, { buildMinio, say });
      running.push(service);
      Object.assign(env, service.env);
      say(`${name} is ready after ${Math.round(performance.now() - from)} ms`);
    } catch (error) {
      failed.push({ name, reason: error.message });
    }
  };
  const started = new Map();
  for (const name of own) {
    const before = Promise.resolve(started.get(services[name].after));
    started.set(
      name,
      before.then(() => startOne(name)),
    );
  }
  await Promise.all(started.values());
  if (running.length > 1) say(`all are ready after ${Math.round(performance.now() - begun)} ms`);
  const close = async () => {
    await Promise.all(running.splice(0).map((service) => service.close()));
  };
  return { env, failed, close };
}

function whyNotHere(name, buildMinio) {
  if (process.platform !== "linux") {
    return "is started on Linux only; start it yourself and name it by its variable";
  }
  return whyNot(name) ?? (name === "minio" ? findMinio({ build: buildMinio }).reason : undefined);
}

function isGiven(name) {
  const { variables } = services[name];
  const set = variables.filter((variable) => process.env[variable]);
  if (set.length === 0) return false;
  const unset = variables.filter((variable) => !process.env[variable]);
  if (unset.length === 0) return true;
  throw new Error(`${set.join(", ")} is set, but ${unset.join(", ")} is not; set all of them or none`);
}
