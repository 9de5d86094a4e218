-- Concurrency slots: tidegate/algorithms/concurrency.py is the same in Python, and the truth.
-- A sorted set of holders by their leases' ends (µs).

local function slot_kept(holder, now, lease)
  return { holder, math.ceil(lease / 1000) + 1, now + lease }
end

decide.c = function(key, now, _, slots, lease, holder)
  redis.call('ZREMRANGEBYSCORE', key, '-inf', now)
  local own = redis.call('ZSCORE', key, holder) and 1 or 0
  local free = slots - (redis.call('ZCARD', key) - own)
  local allowed, retry_after = free > 0, 0
  if not allowed then
    local held = redis.call('ZRANGE', key, 0, 1, 'WITHSCORES')
    local ends = held[1] == holder and held[4] or held[2]
    retry_after = math.max(1, tonumber(ends) - now)
  end
  return {
    allowed = allowed, wait = 0, retry_after = retry_after, kept = slot_kept(holder, now, lease),
    uncharged = { math.max(0, free), '' }, charged = { free - 1, '' },
  }
end

correct.c = function(key, now, units, _, lease, holder)
  if units < 0 then
    redis.call('ZREM', key, holder)
    return nil
  end
  return slot_kept(holder, now, lease)
end
