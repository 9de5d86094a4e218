-- Concurrency slots: the same as tidegate/limits/concurrency.py, which defines them.
-- A sorted set of holders by their leases' ends (µs).

local function slot_kept(holder, now, lease)
  return { holder, math.ceil(lease / 1000) + 1, now + lease }
end

decide.c = function(key, now, _, slots, lease, holder)
  read('ZREMRANGEBYSCORE', key, '-inf', now)
  local own = redis.call('ZSCORE', key, holder) and 1 or 0
  local free = slots - (redis.call('ZCARD', key) - own)
  -- No script of these grants a lease that ends in centuries, or never.
  if free <= 0 then free = free + redis.call('ZREMRANGEBYSCORE', key, 2 ^ 53, '+inf') end
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
    read('ZREM', key, holder)
    return nil
  end
  read('ZCARD', key)
  return slot_kept(holder, now, lease)
end
