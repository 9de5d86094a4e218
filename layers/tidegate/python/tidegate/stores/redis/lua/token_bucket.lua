-- The token bucket as GCRA: the same as tidegate/limits/token_bucket.py, which defines it.
-- Times are whole microseconds in doubles, exact to 2^53.

-- The TAT to decide from: the stored one, but not in the past, and not earlier than the carried debt says.
local function start_of_debt(stored, now, carried_debt)
  return math.max(whole(stored) or 0, now + carried_debt)
end

local function tokens(tat, now, interval, depth)
  return math.max(0, math.floor((depth - (tat - now)) / interval))
end

-- The longest debt that a correction can make (µs): a handler may report any cost.
local LONGEST_DEBT = 31 * 86400000000

-- The TAT after a correction: not in the past, and with no debt beyond the depth and LONGEST_DEBT.
local function tat_moved(tat, now, by, depth)
  if by > 0 then return math.max(tat, math.min(tat + by, now + depth + LONGEST_DEBT)) end
  return math.max(now, tat + by)
end

-- Decide one bucket without writing. Returns allowed, the TAT to store, the TAT now, retry_after (-1: never).
local function take(stored, now, interval, burst, cost, carried_debt)
  local depth = interval * burst
  local base = start_of_debt(stored, now, carried_debt)
  local moved = base + cost * interval
  if moved - now <= depth then return true, moved, base, 0 end
  return false, moved, base, cost <= burst and moved - now - depth or -1
end

-- A bucket is kept for a minute after it is full again, since an outage shorter than that may set its clock back.
local function tat_kept(tat, now)
  return { string.format('%.0f', tat), math.ceil((tat - now) / 1000) + 60001 }
end

local function tat_of(key, interval, burst)
  return whole(read('GET', key)) or (born > 0 and born + interval * (burst - 1)) or nil
end

decide.b = function(key, now, cost, interval, burst, carried)
  local depth = interval * burst
  local allowed, moved, base, retry_after =
    take(tat_of(key, interval, burst), now, interval, burst, cost, tonumber(carried))
  return {
    allowed = allowed, retry_after = retry_after, wait = 0, kept = tat_kept(moved, now),
    uncharged = { tokens(base, now, interval, depth), base - now },
    charged = { tokens(moved, now, interval, depth), moved - now },
  }
end

correct.b = function(key, now, units, interval, burst, carried)
  local base = start_of_debt(tat_of(key, interval, burst), now, tonumber(carried))
  return tat_kept(tat_moved(base, now, units * interval, interval * burst), now)
end
