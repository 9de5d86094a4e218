-- The token bucket as GCRA: tidegate/algorithms/token_bucket.py is the same in Python, and the truth.
-- Times are whole microseconds in doubles, exact to 2^53.

-- The TAT that counts: stored, not in the past, not richer than a bucket that was empty refilled_for ago.
local function start_of_debt(stored, now, depth, refilled_for)
  local base = math.max(tonumber(stored) or 0, now)
  if refilled_for < 0 then return base end
  return math.max(base, now + depth - refilled_for)
end

local function tokens(tat, now, interval, depth)
  return math.max(0, math.floor((depth - (tat - now)) / interval))
end

-- Decide one bucket without writing. Returns allowed, the TAT to store, the TAT now, retry_after (-1: never).
local function take(stored, now, interval, burst, cost, refilled_for)
  local depth = interval * burst
  local base = start_of_debt(stored, now, depth, refilled_for)
  local moved = base + cost * interval
  if moved - now <= depth then return true, moved, base, 0 end
  return false, moved, base, cost <= burst and moved - now - depth or -1
end
