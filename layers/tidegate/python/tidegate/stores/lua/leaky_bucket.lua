-- The leaky bucket: tidegate/algorithms/leaky_bucket.py is the same in Python, and the truth.

local function leaky_room(wait, interval, max_wait)
  return wait > max_wait and 0 or math.floor((max_wait - wait) / interval) + 1
end

decide.d = function(key, now, cost, interval, max_wait, known)
  local start = start_of_debt(redis.call('GET', key), now, tonumber(known))
  local wait, after = start - now, start + cost * interval
  local allowed = wait <= max_wait
  return {
    allowed = allowed, retry_after = allowed and 0 or wait - max_wait, wait = allowed and wait or 0, kept = tat_kept(after, now),
    uncharged = { leaky_room(wait, interval, max_wait), wait },
    charged = { leaky_room(after - now, interval, max_wait), after - now },
  }
end

correct.d = function(key, now, units, interval, _, known)
  local base = start_of_debt(redis.call('GET', key), now, tonumber(known))
  return tat_kept(math.max(now, base + units * interval), now)
end
