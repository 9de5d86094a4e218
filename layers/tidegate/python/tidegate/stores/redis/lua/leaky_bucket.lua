-- The leaky bucket: the same as tidegate/limits/leaky_bucket.py, which defines it.

local function leaky_room(wait, interval, max_wait)
  return wait > max_wait and 0 or math.floor((max_wait - wait) / interval) + 1
end

decide.d = function(key, now, cost, interval, max_wait, carried)
  local start = start_of_debt(read('GET', key), now, tonumber(carried))
  local wait, after = start - now, start + cost * interval
  -- The last unit's start must be in time.
  local latest = max_wait - (math.max(1, cost) - 1) * interval
  local allowed, retry_after = wait <= latest, 0
  if not allowed then retry_after = cost <= leaky_room(0, interval, max_wait) and wait - latest or -1 end
  return {
    allowed = allowed, retry_after = retry_after, wait = allowed and wait or 0, kept = tat_kept(after, now),
    uncharged = { leaky_room(wait, interval, max_wait), wait },
    charged = { leaky_room(after - now, interval, max_wait), after - now },
  }
end

correct.d = function(key, now, units, interval, max_wait, carried)
  local base = start_of_debt(read('GET', key), now, tonumber(carried))
  return tat_kept(tat_moved(base, now, units * interval, max_wait), now)
end
