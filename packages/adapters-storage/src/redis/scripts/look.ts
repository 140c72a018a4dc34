import { type RedisScript, redisScript } from "../connection.ts";
import { PROMOTE, SHARED } from "./shared.ts";

/**
 * Arguments: prefixes of lanes. Replies how many entries there are, how many of them are delivered and out of sight,
 * whether more is due than could be made ready, and how many are ready in each lane.
 */
export const STATS: RedisScript = redisScript(String.raw`${SHARED}${PROMOTE}
local time = now()
local has_more = 0
if #ARGV > 0 then
  if promote(delayed, time) then has_more = 1 end
  if promote(delivered, time) then has_more = 1 end
end
local reply = {call('ZCARD', ids), call('ZCOUNT', delivered, '(' .. time, '+inf'), has_more}
for at, prefix in ipairs(ARGV) do
  reply[at + 3] = call('ZLEXCOUNT', ready, '[' .. prefix, '(' .. string.sub(prefix, 1, -2) .. '\1')
end
return reply
`);

/** Arguments: from where, as \`ZRANGEBYLEX\` wants it, and how many. */
export const AUDIT: RedisScript = redisScript(`${SHARED}
return call('ZRANGEBYLEX', ids, ARGV[1], '+', 'LIMIT', 0, ARGV[2])
`);

/**
 * Argument: a new mark, which is set where there is none. Replies the mark and who keeps it: a replica that took over
 * has the mark but perhaps not the last writes, and a restart may have lost some of them, so both count as a loss.
 * (A primary also begins a new history when its first replica arrives; then all is enqueued again for nothing.) Where
 * INFO is not allowed nobody is told, and such a loss is found by the slow comparison alone.
 *
 * Where parts of the queue do not fit together, a key was evicted or deleted: the rest goes too, and counts as lost.
 */
export const INCARNATION: RedisScript = redisScript(`${SHARED}
local total = call('HLEN', entries)
local placed = call('ZCARD', ready) + call('ZCARD', delayed) + call('ZCARD', delivered)
local found = call('GET', mark)
if total ~= call('ZCARD', ids) or total ~= placed then
  call('UNLINK', entries, ids, ready, delayed, delivered)
  found = false
end
if not found then
  found = ARGV[1]
  call('SET', mark, found)
end
local function told(section, field)
  local info = redis.pcall('INFO', section)
  return type(info) == 'string' and string.match(info, field .. ':(%x+)') or ''
end
return {found, told('server', 'run_id'), told('replication', 'master_replid')}
`);
