-- An idempotency key's record: the stored answer, or (for routes whose claims Redis holds) the claim.
-- A hash: fingerprint, record | attempt ('' for nobody), deadline (ms), points.

-- What is known of the key: 'completed' with the answer, 'mismatch', 'in-progress' with the ms left, or 'unknown'.
local function recall(key, now_ms, fingerprint, attempt)
  local held = redis.call('HMGET', key, 'fingerprint', 'record', 'attempt', 'deadline')
  local same = held[1] == fingerprint
  if held[2] and same then return 'completed', held[2] end
  if held[2] or (held[3] and not same) then return 'mismatch', '' end
  if held[3] and held[3] ~= attempt and tonumber(held[4]) > now_ms then
    return 'in-progress', string.format('%.0f', tonumber(held[4]) - now_ms)
  end
  return 'unknown', ''
end

-- Hold what `recall` did not know. Returns 'granted', or 'taken-over' from another attempt, and its points.
local function claim(key, now_ms, fingerprint, attempt, hold_ms, lifetime_ms)
  local left = redis.call('HMGET', key, 'attempt', 'points')
  redis.call('HSET', key, 'fingerprint', fingerprint, 'attempt', attempt,
    'deadline', string.format('%.0f', now_ms + hold_ms))
  redis.call('PEXPIRE', key, math.max(hold_ms, lifetime_ms))
  return (left[1] and left[1] ~= attempt) and 'taken-over' or 'granted', left[2] or ''
end
