/**
 * Entries that one script moves at most. With a million waiting in a thousand lanes one takes about 15 microseconds of the
 * server, which does nothing else meanwhile; with few of either, 5.
 */
export const MOST_ENTRIES = 250;

/** What the scripts begin with. Times are the server's, so that no client's clock has a say. */
export const SHARED: string = String.raw`
local entries, ids, ready, delayed, delivered, mark = unpack(KEYS)
local call = redis.call

local function now()
  local time = call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- The place in a value of entries, without the token of a delivery.
local function place_in(value)
  if string.byte(value) ~= 33 then return value end
  return string.sub(value, string.find(value, '\0', 2, true) + 1)
end
`;

/**
 * Makes ready what is due, the first due first. The bound keeps the server free for others: whoever is told that
 * there is more calls again.
 */
export const PROMOTE: string = `
local function promote(waiting, time)
  local due = call('ZRANGEBYSCORE', waiting, '-inf', time, 'LIMIT', 0, ${MOST_ENTRIES})
  if #due == 0 then return false end
  local values = call('HMGET', entries, unpack(due))
  local members = {}
  for at, id in ipairs(due) do
    if values[at] then
      members[#members + 1] = 0
      members[#members + 1] = place_in(values[at]) .. id
    end
  end
  call('ZREM', waiting, unpack(due))
  if #members > 0 then call('ZADD', ready, unpack(members)) end
  return #due == ${MOST_ENTRIES}
end
`;
