-- What the fleet's callers demand, in requests that would be in flight if all were admitted: an average of the work
-- that arrives, the older the less. tidegate/algorithms/shedding.py (Demand.after) is the same in Python, and the truth.
-- KEYS[1]: a hash: at (µs), then critical, normal, sheddable. ARGV: the window µs, then the work that came to the asker
-- since its last report, in µs: critical, normal, sheddable.
-- Answer: the demand of each criticality, in thousandths of a request.

local FIELDS = { 'critical', 'normal', 'sheddable' }
local time = redis.call('TIME')
local now, window = tonumber(time[1]) * 1000000 + tonumber(time[2]), tonumber(ARGV[1])
local kept = redis.call('HMGET', KEYS[1], 'at', unpack(FIELDS))
local at = tonumber(kept[1]) or now
local fade = math.exp(-math.max(0, now - at) / window)

local answer, written = {}, { 'at', string.format('%.0f', math.max(at, now)) }
for i, field in ipairs(FIELDS) do
  local demand = math.max(0, (tonumber(kept[i + 1]) or 0) * fade + tonumber(ARGV[i + 1]) / window)
  written[#written + 1], written[#written + 2] = field, string.format('%.9g', demand)
  answer[i] = math.floor(demand * 1000 + 0.5)
end
redis.call('HSET', KEYS[1], unpack(written))
redis.call('PEXPIRE', KEYS[1], math.ceil(window / 1000) * 20)
return answer
