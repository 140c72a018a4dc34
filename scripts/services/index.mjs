// For scripts that start, crash, freeze and bring back real servers themselves: chaos runs and benches.

export { startCeph } from "./ceph.mjs";
export { startDocker } from "./docker.mjs";
export { startMlflow } from "./mlflow.mjs";
export { startPgbouncer } from "./pgbouncer.mjs";
export { startPostgres } from "./postgres.mjs";
export { startRabbitmq } from "./rabbitmq.mjs";
export { startRedis, startValkey } from "./redis.mjs";
export { startRegistry } from "./registry.mjs";
