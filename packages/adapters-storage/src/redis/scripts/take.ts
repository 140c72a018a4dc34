import { type RedisScript, redisScript } from "../connection.ts";
import { PROMOTE, SHARED } from "./shared.ts";

/**
 * Arguments: a token, whether to hand out although more is due than could be made ready, and of each request the
 * milliseconds out of sight, how many in all, and of how many lanes; then prefix and bound of each lane.
 *
 * Replies 1 where more is due, else 0 and the members for each request. One lane is read in one piece. Of several, a
 * heap holds the head of each; pieces are as long as if all lanes were to give the same, and longer where one gives
 * more.
 */
export const TAKE: RedisScript = redisScript(String.raw`${SHARED}${PROMOTE}
local RANK = 16

-- So many members of a lane at most, from its first one or from behind another.
local function read(prefix, behind, count)
  local from = behind and '(' .. behind or '[' .. prefix
  local to = '(' .. string.sub(prefix, 1, -2) .. '\1'
  return call('ZRANGEBYLEX', ready, from, to, 'LIMIT', 0, count)
end

-- Bytes decide. To compare the texts would be to ask the locale that the server was started in.
local function is_below(a, b)
  for at = 1, math.min(#a, #b) do
    local left, right = string.byte(a, at), string.byte(b, at)
    if left ~= right then return left < right end
  end
  return #a < #b
end

-- 52 bits of the rank as a number, and for what is equal in them the rest of the text.
local function point(head)
  local member = head.members[head.at]
  local from = #head.prefix
  head.high = tonumber(string.sub(member, from + 1, from + 7), 16) * 16777216
    + tonumber(string.sub(member, from + 8, from + 13), 16)
  head.rest = string.sub(member, from + 14)
end

local function is_first(a, b)
  if a.high ~= b.high then return a.high < b.high end
  return is_below(a.rest, b.rest)
end

local function sink(heap, at)
  local head = heap[at]
  while true do
    local child = 2 * at
    if child > #heap then break end
    if child < #heap and is_first(heap[child + 1], heap[child]) then child = child + 1 end
    if not is_first(heap[child], head) then break end
    heap[at] = heap[child]
    at = child
  end
  heap[at] = head
end

-- Whether the lane has another head.
local function advance(head, most)
  head.left = head.left - 1
  if head.left == 0 then return false end
  if head.at == #head.members then
    if #head.members < head.asked then return false end
    head.asked = math.min(head.left, most, 2 * head.asked)
    head.members = read(head.prefix, head.members[head.at], head.asked)
    head.at = 0
    if #head.members == 0 then return false end
  end
  head.at = head.at + 1
  point(head)
  return true
end

local function merge(from, lanes, max)
  local heap, taken = {}, {}
  if max == 0 or call('ZCARD', ready) == 0 then return taken end
  local piece = math.ceil(max / lanes)
  for at = from, from + 2 * lanes - 1, 2 do
    local bound = tonumber(ARGV[at + 1])
    local asked = math.min(bound, piece)
    local members = asked > 0 and read(ARGV[at], nil, asked) or {}
    if #members > 0 then
      local head = {prefix = ARGV[at], left = bound, asked = asked, members = members, at = 1}
      point(head)
      heap[#heap + 1] = head
    end
  end
  for at = math.floor(#heap / 2), 1, -1 do sink(heap, at) end
  while #heap > 0 and #taken < max do
    local head = heap[1]
    taken[#taken + 1] = head.members[head.at]
    if #taken < max and not advance(head, max - #taken) then
      heap[1] = heap[#heap]
      heap[#heap] = nil
    end
    if #heap > 0 then sink(heap, 1) end
  end
  return taken
end

local function deliver(taken, token, until_time, is_one_lane)
  local values, times = {}, {}
  for at, member in ipairs(taken) do
    local split = string.find(member, '\0', 1, true) + RANK
    local id = string.sub(member, split + 1)
    values[2 * at - 1] = id
    values[2 * at] = '!' .. token .. '\0' .. string.sub(member, 1, split)
    times[2 * at - 1] = until_time
    times[2 * at] = id
  end
  -- A removal first: it goes through when memory is full, and with it all that follows.
  if is_one_lane then
    call('ZREMRANGEBYLEX', ready, '[' .. taken[1], '[' .. taken[#taken])
  else
    call('ZREM', ready, unpack(taken))
  end
  call('HSET', entries, unpack(values))
  call('ZADD', delivered, unpack(times))
end

local time = now()
local has_more = promote(delayed, time)
has_more = promote(delivered, time) or has_more
if has_more and ARGV[2] ~= '1' then return {1} end
local reply = {0}
local at = 3
while at <= #ARGV do
  local visible, max, lanes = tonumber(ARGV[at]), tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  at = at + 3
  local taken
  if lanes == 1 then
    local count = math.min(max, tonumber(ARGV[at + 1]))
    taken = count > 0 and read(ARGV[at], nil, count) or {}
  else
    taken = merge(at, lanes, max)
  end
  at = at + 2 * lanes
  if #taken > 0 then deliver(taken, ARGV[1], time + visible, lanes == 1) end
  reply[#reply + 1] = taken
end
return reply
`);
