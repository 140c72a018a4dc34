export { type RedisBroker, redisBroker } from "./broker.ts";
export { inspectRedis } from "./inspect.ts";
export type { RedisInspection, RedisProblem, RedisWarning } from "./inspection.ts";
export type {
  RedisBrokerOptions,
  RedisClientLike,
  RedisClusterOptions,
  RedisSentinelOptions,
  RedisTlsOptions,
} from "./options.ts";
