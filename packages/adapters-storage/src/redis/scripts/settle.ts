import { type RedisScript, redisScript } from "../connection.ts";
import { SHARED } from "./shared.ts";

/**
 * Arguments: id, token and delay of each delivery; no delay for what is done with. What has another token, or none, is
 * left alone. A delivery whose time is over may still be settled as long as nobody took it again; it may lie in
 * `ready` by then.
 */
export const SETTLE: RedisScript = redisScript(String.raw`${SHARED}
local time = now()
local asked = {}
for at = 1, #ARGV, 3 do asked[#asked + 1] = ARGV[at] end
local known = call('HMGET', entries, unpack(asked))
local settled, members, seen = {}, {}, {}
local done, values, now_ready, now_delayed = {}, {}, {}, {}
for at, id in ipairs(asked) do
  local stamp = '!' .. ARGV[3 * at - 1] .. '\0'
  if known[at] and not seen[id] and string.sub(known[at], 1, #stamp) == stamp then
    seen[id] = true
    local place = string.sub(known[at], #stamp + 1)
    settled[#settled + 1] = id
    members[#members + 1] = place .. id
    local delay = tonumber(ARGV[3 * at])
    if delay == nil then
      done[#done + 1] = id
    else
      values[#values + 1] = id
      values[#values + 1] = place
      if delay > 0 then
        now_delayed[#now_delayed + 1] = time + delay
        now_delayed[#now_delayed + 1] = id
      else
        now_ready[#now_ready + 1] = 0
        now_ready[#now_ready + 1] = place .. id
      end
    end
  end
end
if #settled == 0 then return 0 end
if call('ZREM', delivered, unpack(settled)) < #settled then call('ZREM', ready, unpack(members)) end
if #done > 0 then
  call('HDEL', entries, unpack(done))
  call('ZREM', ids, unpack(done))
end
if #values > 0 then call('HSET', entries, unpack(values)) end
if #now_ready > 0 then call('ZADD', ready, unpack(now_ready)) end
if #now_delayed > 0 then call('ZADD', delayed, unpack(now_delayed)) end
return #settled
`);
