-- The demand of the fleet's callers: requests that would be in flight if all were admitted. It is computed from the
-- requests that ran and that were refused in the last seconds, counted in slots of time. The same as
-- tidegate/shedding/demand.py, which defines it.
-- KEYS[1]: the newest slot's number, then the slots, the newest first, each of 13 doubles (see there).
-- ARGV: an environment's counts since its last report, in millionths, which are added to the newest slot.
-- Reply: the demand of each criticality, and its standard error, in thousandths of a request.

local SLOT_US, COUNTED_S, SLOTS, NUMBERS, KEPT_MS = 300000, 1.2, 5, 13, 10000
local UNMEASURED, ENDED, TOOK, SQUARES = 3, 6, 9, 13
local FORMAT, BYTES = '>ddddddddddddd', 8 * NUMBERS
local EMPTY = string.rep('\0', BYTES)

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local newest = math.floor(now / SLOT_US)
local rest = 1 - (now - newest * SLOT_US) / SLOT_US

local is_text, kept = pcall(redis.call, 'GET', KEYS[1])
local slots, passed = '', SLOTS
if is_text and kept and #kept == 8 + SLOTS * BYTES then
  slots, passed = string.sub(kept, 9), newest - struct.unpack('>d', kept)
end
if passed < 0 and passed > -SLOTS then newest, passed = newest - passed, 0 end -- the server's clock was put back a bit
if passed >= 0 and passed < SLOTS then
  slots = string.rep(EMPTY, passed) .. string.sub(slots, 1, (SLOTS - passed) * BYTES)
else
  slots = string.rep(EMPTY, SLOTS)
end

local first = { struct.unpack(FORMAT, slots) }
for i = 1, NUMBERS do first[i] = first[i] + tonumber(ARGV[i]) / 1000000 end
local newest_slot = struct.pack(FORMAT, unpack(first, 1, NUMBERS))
redis.call('SET', KEYS[1], struct.pack('>d', newest) .. newest_slot .. string.sub(slots, BYTES + 1), 'PX', KEPT_MS)

-- `counted` takes the oldest slot in part, `all` takes every slot in full.
local counted, all = first, { unpack(first, 1, NUMBERS) }
for s = 1, SLOTS - 1 do
  if string.sub(slots, s * BYTES + 1, (s + 1) * BYTES) ~= EMPTY then
    local share, slot = s == SLOTS - 1 and rest or 1, { struct.unpack(FORMAT, slots, s * BYTES + 1) }
    for i = 1, NUMBERS do
      counted[i], all[i] = counted[i] + slot[i] * share, all[i] + slot[i]
    end
  end
end

local answer, refused, ran = {}, 0, 0
for i = 1, 3 do
  local seconds, unmeasured, ended = counted[i], counted[UNMEASURED + i], all[ENDED + i]
  ran = ran + counted[ENDED + i]
  if unmeasured > 0 then
    refused = refused + unmeasured
    if ended > 0 then seconds = seconds + unmeasured * all[TOOK + i] / ended end
  end
  answer[i] = math.floor(math.min(math.max(0, seconds / COUNTED_S) * 1000, 1e15) + 0.5)
end
local doubt = math.sqrt(math.max(0, counted[SQUARES]) * (1 + refused / math.max(1, ran))) / COUNTED_S
answer[4] = math.floor(math.min(doubt * 1000, 1e15) + 0.5)
return answer
