-- Quotas by the calendar: the same as tidegate/limits/quota.py, which defines them.
-- Kept as 'start:used:end' (µs). A question brings its calendar as 'start:end:end of the next:slack'. The previous
-- release kept 'start:used' under a key of its own, which counts until this one's exists: it is among KEYS, too.

local MOST_UNITS = 2 ^ 48

local function quota_calendar(calendar_text)
  local first, ends, after, slack = string.match(calendar_text, '^(%d+):(%d+):(%d+):(%d+)$')
  return { start = tonumber(first), ends = tonumber(ends), after = tonumber(after), slack = tonumber(slack) }
end

local function quota_read(calendar, snapshot)
  local start, used, ends = string.match(snapshot or '', '^(%d+):(%d+):?(%d*)$')
  if not start then return nil end
  start, used, ends = whole(start), whole(used), whole(ends) or 0
  if not start or not used then return nil end
  if ends <= start then
    ends = start == calendar.start and calendar.ends or start + calendar.ends - calendar.start
  end
  return { start = start, used = used, ends = ends }
end

local function quota_next(calendar, ended)
  local whole = ended <= calendar.start + calendar.slack
  return { start = math.max(calendar.start, ended), used = 0, ends = whole and calendar.ends or calendar.after }
end

local function is_later(one, other)
  if one.start ~= other.start then return one.start > other.start end
  if one.used ~= other.used then return one.used > other.used end
  return one.ends > other.ends
end

local function quota_running(calendar, now, ...)
  local period
  for i = 1, 2 do
    local snapshot = quota_read(calendar, (select(i, ...)))
    if snapshot and (not period or is_later(snapshot, period)) then period = snapshot end
  end
  period = period or { start = calendar.start, used = 0, ends = calendar.ends }
  for _ = 1, 2 do
    if now >= period.ends then period = quota_next(calendar, period.ends) end
  end
  return period
end

local function quota_kept_at(key)
  return read('GET', key) or read('GET', string.sub(key, 1, -2) .. 'q') or ''
end

local function quota_text(period, used)
  return string.format('%.0f:%.0f:%.0f', period.start, used, period.ends)
end

-- It is kept for a whole period after its end: the next period begins there, by whatever calendar comes next.
local function quota_kept(calendar, period, used, now)
  local kept = period.ends + calendar.ends - calendar.start - now
  return { quota_text(period, used), math.ceil(math.max(1000000, kept) / 1000) }
end

decide.q = function(key, now, cost, calendar_text, quota, carried)
  local calendar = quota_calendar(calendar_text)
  local period = quota_running(calendar, now, quota_kept_at(key), carried)
  local left = math.max(0, quota - period.used)
  local allowed = cost <= left
  local kept = quota_kept(calendar, period, period.used + cost, now)
  return {
    allowed = allowed, wait = 0, kept = kept,
    retry_after = allowed and 0 or (cost > quota and -1 or math.max(1, period.ends - now)),
    uncharged = { left, quota_text(period, period.used) },
    charged = { left - cost, kept[1] },
  }
end

correct.q = function(key, now, units, calendar_text, _, carried)
  local calendar = quota_calendar(calendar_text)
  local period, charged = quota_running(calendar, now, quota_kept_at(key), ''), quota_read(calendar, carried)
  local charged_before = calendar.ends <= period.start
  if charged then charged_before = charged.start < period.start end
  if units < 0 and charged_before then units = 0 end
  return quota_kept(calendar, period, math.min(MOST_UNITS, math.max(0, period.used + units)), now)
end
