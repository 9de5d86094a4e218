-- The sliding window counter: tidegate/algorithms/sliding_window.py is the same in Python, and the truth.
-- Kept as 'index:current:previous'; times are whole milliseconds, products stay below 2^53.

local function window_counts(tale, index)
  local at, current, previous = string.match(tale or '', '^(%d+):(%d+):(%d+)$')
  if not at then return index, 0, 0 end
  at, current, previous = tonumber(at), tonumber(current), tonumber(previous)
  if index <= at then return at, current, previous end
  return index, 0, index == at + 1 and current or 0
end

-- Of what is stored and what the asker knows, the later window and the larger counts are true.
local function window_seen(stored, known, now, window)
  local index = math.floor(math.floor(now / 1000) / window)
  index = math.max(index, (window_counts(stored, index)), (window_counts(known, index)))
  local _, current, previous = window_counts(stored, index)
  local _, known_current, known_previous = window_counts(known, index)
  return index, math.max(current, known_current), math.max(previous, known_previous)
end

local function window_faded_at(window, fading, free)
  return fading <= free and 0 or window - math.floor(free * window / fading)
end

local function window_retry_after(window, quota, elapsed, current, previous, cost)
  if cost > quota then return -1 end
  local free = quota - current - cost
  if free >= 0 then return (window_faded_at(window, previous, free) - elapsed) * 1000 end
  return (window - elapsed + window_faded_at(window, current, quota - cost)) * 1000
end

local function window_text(index, current, previous)
  return string.format('%.0f:%.0f:%.0f', index, current, previous)
end

local function window_kept(index, current, previous, now, window)
  return { window_text(index, current, previous), math.max(1, math.ceil((index + 2) * window - now / 1000)) }
end

decide.w = function(key, now, cost, window, quota, known)
  local index, current, previous = window_seen(redis.call('GET', key), known, now, window)
  local elapsed = math.max(0, math.floor(now / 1000) - index * window)
  local weighted = previous * (window - elapsed) + current * window
  local room = math.max(0, math.floor((quota * window - weighted) / window))
  local allowed = cost <= room
  return {
    allowed = allowed, wait = 0, kept = window_kept(index, current + cost, previous, now, window),
    retry_after = allowed and 0 or window_retry_after(window, quota, elapsed, current, previous, cost),
    uncharged = { room, window_text(index, current, previous) },
    charged = { room - cost, window_text(index, current + cost, previous) },
  }
end

correct.w = function(key, now, units, window, _, known)
  local index, current, previous = window_seen(redis.call('GET', key), known, now, window)
  return window_kept(index, math.max(0, current + units), previous, now, window)
end
