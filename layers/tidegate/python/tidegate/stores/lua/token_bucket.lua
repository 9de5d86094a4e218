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

-- It is kept for a minute after it is full again: what an outage takes off its clock mustn't be forgotten.
local function tat_kept(tat, now)
  return { string.format('%.0f', tat), math.ceil((tat - now) / 1000) + 60001 }
end

local function tat_of(key, interval, burst)
  return redis.call('GET', key) or (born > 0 and born + interval * (burst - 1)) or nil
end

decide.b = function(key, now, cost, interval, burst, known)
  local depth = interval * burst
  local allowed, moved, base, retry_after =
    take(tat_of(key, interval, burst), now, interval, burst, cost, tonumber(known))
  return {
    allowed = allowed, retry_after = retry_after, wait = 0, kept = tat_kept(moved, now),
    uncharged = { tokens(base, now, interval, depth), base - now },
    charged = { tokens(moved, now, interval, depth), moved - now },
  }
end

correct.b = function(key, now, units, interval, burst, known)
  local base = start_of_debt(tat_of(key, interval, burst), now, tonumber(known))
  return tat_kept(math.max(now, base + units * interval), now)
end
