import { randomBytes } from "node:crypto";
import { type RedisScript, redisScript } from "./connection.ts";
import { keySpace, type RedisClientLike, type ResolvedRedisOptions } from "./options.ts";
import { replyCode } from "./redis-error.ts";

/** What the scripts call, with harmless arguments; K, H and Z stand for keys of their own. */
const IN_SCRIPTS: readonly (readonly string[])[] = [
  ["set", "K", "1", "px", "1000"],
  ["get", "K"],
  ["hset", "H", "field", "1"],
  ["hmget", "H", "field"],
  ["hlen", "H"],
  ["hdel", "H", "field"],
  ["zadd", "Z", "0", "member"],
  ["zcard", "Z"],
  ["zcount", "Z", "0", "1"],
  ["zlexcount", "Z", "-", "+"],
  ["zrangebylex", "Z", "-", "+"],
  ["zrangebyscore", "Z", "0", "1"],
  ["zrem", "Z", "member"],
  ["zremrangebylex", "Z", "-", "+"],
  ["time"],
  ["info", "server"],
  ["unlink", "K", "H", "Z"],
];

/** The commands that are sent as such; `cluster|slots` and `cluster|info` come on top in a Cluster. */
const SENT = ["evalsha", "eval", "publish", "subscribe", "ping"] as const;

/** All commands that the user must be allowed, whom `ACL SETUSER` of the guide makes. */
export const NEEDED_COMMANDS: readonly string[] = [
  ...SENT,
  ...IN_SCRIPTS.map(([command]) => command as string),
];

/** Replies each error. Where `unlink` is refused, the one key that is left expires. */
const TRY_ALL: RedisScript = redisScript(`
local errors = {}
for at, call in ipairs(cjson.decode(ARGV[1])) do
  for part, text in ipairs(call) do
    if text == 'K' then call[part] = KEYS[1] elseif text == 'H' then call[part] = KEYS[2] elseif text == 'Z' then call[part] = KEYS[3] end
  end
  local reply = redis.pcall(unpack(call))
  errors[at] = type(reply) == 'table' and reply.err or ''
end
return errors
`);

/**
 * Which rights are missing, as `ACL SETUSER` takes them. Tries them with keys of its own, which it removes. Rejects
 * with what else went wrong.
 */
export async function missingRights(
  client: RedisClientLike,
  options: ResolvedRedisOptions,
): Promise<readonly string[]> {
  const missing: string[] = [];
  const space = keySpace(options);
  const probe = `${space}inspect:${randomBytes(8).toString("hex")}:`;
  const keys = [`${probe}k`, `${probe}h`, `${probe}z`];
  const tried = async (right: string, command: string, args: (string | number)[]): Promise<unknown> => {
    try {
      return await client.call(command, args);
    } catch (error) {
      if (replyCode(error) !== "NOPERM") throw error;
      missing.push(isOfPattern(error) ? `${command === "publish" ? "&" : "~"}${space}*` : right);
      return undefined;
    }
  };
  await tried("+ping", "ping", []);
  // It is not known under this hash, which a user without the right is not even told.
  await tried("+evalsha", "evalsha", ["0".repeat(40), 1, keys[0] as string]).catch((error: unknown) => {
    if (replyCode(error) !== "NOSCRIPT") throw error;
  });
  const errors = await tried("+eval", "eval", [
    TRY_ALL.lua,
    keys.length,
    ...keys,
    JSON.stringify(IN_SCRIPTS),
  ]);
  for (const [at, error] of ((errors ?? []) as string[]).entries())
    if (/NOPERM|permission|can't run this command/i.test(error)) missing.push(`+${IN_SCRIPTS[at]?.[0]}`);
  await tried("+publish", "publish", [`${space}wake:work`, "[]"]);
  return [...new Set(missing)];
}

/** In words of Redis 7: "No permissions to access a key", and "… a channel". */
export function isOfPattern(error: unknown): boolean {
  return (
    error instanceof Error && /access (a|the) (key|channel)|one of the (keys|channels)/i.test(error.message)
  );
}
