-- The token bucket as GCRA: tidegate/algorithms/token_bucket.py is the same in Python, and the truth.
-- Times are whole microseconds in doubles, exact to 2^53.

-- The TAT that counts: stored, not in the past, no richer than the debt that the asker knows of.
local function start_of_debt(stored, now, known_debt)
  return math.max(tonumber(stored) or 0, now + known_debt)
end

local function tokens(tat, now, interval, depth)
  return math.max(0, math.floor((depth - (tat - now)) / interval))
end

-- Decide one bucket without writing. Returns allowed, the TAT to store, the TAT now, retry_after (-1: never).
local function take(stored, now, interval, burst, cost, known_debt)
  local depth = interval * burst
  local base = start_of_debt(stored, now, known_debt)
  local moved = base + cost * interval
  if moved - now <= depth then return true, moved, base, 0 end
  return false, moved, base, cost <= burst and moved - now - depth or -1
end
