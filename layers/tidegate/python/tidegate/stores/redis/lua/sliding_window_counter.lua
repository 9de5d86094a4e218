-- The sliding window counter: the same as tidegate/limits/sliding_window_counter.py, which defines it.
-- Kept as 'index:current:previous'; times are whole milliseconds, products stay below 2^53.

local function counter_counts(snapshot, index)
  local at, current, previous = string.match(snapshot or '', '^(%d+):(%d+):(%d+)$')
  at, current, previous = whole(at), whole(current), whole(previous)
  if not (at and current and previous) then return index, 0, 0 end
  if index <= at then return at, current, previous end
  return index, 0, index == at + 1 and current or 0
end

-- Of the stored state and the carried one, the later window and the larger counts are right.
local function counter_seen(stored, carried, now, window)
  local index = math.floor(math.floor(now / 1000) / window)
  index = math.max(index, (counter_counts(stored, index)), (counter_counts(carried, index)))
  local _, current, previous = counter_counts(stored, index)
  local _, carried_current, carried_previous = counter_counts(carried, index)
  return index, math.max(current, carried_current), math.max(previous, carried_previous)
end

local function counter_faded_at(window, fading, free)
  return fading <= free and 0 or window - math.floor(free * window / fading)
end

local function counter_retry_after(window, quota, elapsed, current, previous, cost)
  if cost > quota then return -1 end
  local free = quota - current - cost
  if free >= 0 then return (counter_faded_at(window, previous, free) - elapsed) * 1000 end
  return (window - elapsed + counter_faded_at(window, current, quota - cost)) * 1000
end

local function counter_text(index, current, previous)
  return string.format('%.0f:%.0f:%.0f', index, current, previous)
end

local function counter_kept(index, current, previous, now, window)
  return { counter_text(index, current, previous), math.max(1, math.ceil((index + 2) * window - now / 1000)) }
end

decide.w = function(key, now, cost, window, quota, carried)
  local index, current, previous = counter_seen(read('GET', key), carried, now, window)
  local elapsed = math.max(0, math.floor(now / 1000) - index * window)
  local weighted = previous * (window - elapsed) + current * window
  local room = math.max(0, math.floor((quota * window - weighted) / window))
  local allowed = cost <= room
  return {
    allowed = allowed, wait = 0, kept = counter_kept(index, current + cost, previous, now, window),
    retry_after = allowed and 0 or counter_retry_after(window, quota, elapsed, current, previous, cost),
    uncharged = { room, counter_text(index, current, previous) },
    charged = { room - cost, counter_text(index, current + cost, previous) },
  }
end

correct.w = function(key, now, units, window, _, carried)
  local index, current, previous = counter_seen(read('GET', key), '', now, window)
  local charged_in = units < 0 and tonumber(string.match(carried, '^(%d+):%d+:%d+$')) or index
  if charged_in == index then
    current = math.min(2 ^ 48, math.max(0, current + units))
  elseif charged_in == index - 1 then
    previous = math.max(0, previous + units)
  end
  return counter_kept(index, current, previous, now, window)
end
