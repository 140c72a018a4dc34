import { type RedisScript, redisScript } from "../connection.ts";
import { SHARED } from "./shared.ts";

/**
 * Arguments: id, place and delay of each entry, no id twice. An id that is there already leaves its old place, also
 * that of a delivery, whose token goes with it.
 */
export const ENQUEUE: RedisScript = redisScript(`${SHARED}
local asked, scored = {}, {}
for at = 1, #ARGV / 3 do
  local id = ARGV[3 * at - 2]
  asked[at] = id
  scored[2 * at - 1] = 0
  scored[2 * at] = id
end
-- First what is refused when memory is full, so that a refusal leaves nothing half done.
local added = call('ZADD', ids, unpack(scored))
if added < #asked then
  local known = call('HMGET', entries, unpack(asked))
  local moved, members = {}, {}
  for at, id in ipairs(asked) do
    if known[at] then
      moved[#moved + 1] = id
      members[#members + 1] = place_in(known[at]) .. id
    end
  end
  if #moved > 0 then
    call('ZREM', ready, unpack(members))
    call('ZREM', delayed, unpack(moved))
    call('ZREM', delivered, unpack(moved))
  end
end
local values, now_ready, now_delayed = {}, {}, {}
local time
for at, id in ipairs(asked) do
  local delay = tonumber(ARGV[3 * at])
  values[2 * at - 1] = id
  values[2 * at] = ARGV[3 * at - 1]
  if delay > 0 then
    time = time or now()
    now_delayed[#now_delayed + 1] = time + delay
    now_delayed[#now_delayed + 1] = id
  else
    now_ready[#now_ready + 1] = 0
    now_ready[#now_ready + 1] = ARGV[3 * at - 1] .. id
  end
end
call('HSET', entries, unpack(values))
if #now_ready > 0 then call('ZADD', ready, unpack(now_ready)) end
if #now_delayed > 0 then call('ZADD', delayed, unpack(now_delayed)) end
return #asked
`);
