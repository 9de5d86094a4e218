-- Quotas by the calendar: tidegate/algorithms/quota.py is the same in Python, and the truth.
-- Kept as 'start:used'. The period comes from the asker as 'start:end'; one that has begun already stays begun.

local function quota_used(start, ...)
  local used = 0
  for _, tale in ipairs({ ... }) do
    local other, count = string.match(tale or '', '^(%d+):(%d+)$')
    other, count = tonumber(other), tonumber(count)
    if other and (other > start or (other == start and count > used)) then start, used = other, count end
  end
  return start, used
end

local function quota_kept(start, used, now, ends)
  return { string.format('%.0f:%.0f', start, used), math.ceil(math.max(1000000, ends - now) / 1000) }
end

decide.q = function(key, now, cost, period, quota, known)
  local start, ends = string.match(period, '^(%d+):(%d+)$')
  ends = tonumber(ends)
  local current, used = quota_used(tonumber(start), redis.call('GET', key) or '', known)
  local left = math.max(0, quota - used)
  local allowed = cost <= left
  local kept = quota_kept(current, used + cost, now, ends)
  return {
    allowed = allowed, wait = 0, kept = kept,
    retry_after = allowed and 0 or (cost > quota and -1 or math.max(1, ends - now)),
    uncharged = { left, string.format('%.0f:%.0f', current, used) },
    charged = { left - cost, kept[1] },
  }
end

correct.q = function(key, now, units, period, _, known)
  local start, ends = string.match(period, '^(%d+):(%d+)$')
  local current, used = quota_used(tonumber(start), redis.call('GET', key) or '', known)
  return quota_kept(current, math.max(0, used + units), now, tonumber(ends))
end
