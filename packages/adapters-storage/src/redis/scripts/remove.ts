import { type RedisScript, redisScript } from "../connection.ts";
import { SHARED } from "./shared.ts";

/** Arguments: ids. What is not there is left alone. */
export const REMOVE: RedisScript = redisScript(`${SHARED}
local known = call('HMGET', entries, unpack(ARGV))
local gone, members = {}, {}
for at, id in ipairs(ARGV) do
  if known[at] then
    gone[#gone + 1] = id
    members[#members + 1] = place_in(known[at]) .. id
  end
end
if #gone == 0 then return 0 end
call('ZREM', ready, unpack(members))
call('ZREM', delayed, unpack(gone))
call('ZREM', delivered, unpack(gone))
call('HDEL', entries, unpack(gone))
call('ZREM', ids, unpack(gone))
return #gone
`);
