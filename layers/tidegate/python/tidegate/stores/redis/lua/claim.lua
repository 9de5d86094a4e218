-- An idempotency key's record: the stored response, or (for routes whose claims Redis holds) the claim.
-- A hash: fingerprint, record | attempt ('' if no attempt holds it), deadline (ms), points.

-- The key's state: 'completed' with the response, 'mismatch', 'in-progress' with the ms left, 'outcome-unknown' with
-- the silent holder's attempt and, after a line feed, its points, or 'unknown'.
-- `kept`: 'copy' if another store holds the claim, 'claim' if this one does, 'stands' if such a claim isn't taken over.
-- A record that can't be read is 'unreadable' if it may be the claim itself, since a handler may have run under it.
-- If another store holds the claim, this record is only a copy: it is 'unknown' then, and that store is asked.
local function recall(key, now_ms, fingerprint, attempt, kept)
  local holds = kept ~= 'copy'
  local read, held = pcall(redis.call, 'HMGET', key, 'fingerprint', 'record', 'attempt', 'deadline')
  if not read and not is_wrong_type(held) then return redis.call('HGET', key, 'attempt') end -- raises the error again
  if not read then return holds and 'unreadable' or 'unknown', '' end
  local same, deadline = held[1] == fingerprint, tonumber(held[4] or '')
  if not held[1] and (held[2] or held[3]) then return holds and 'unreadable' or 'unknown', '' end
  if held[2] and same then return 'completed', held[2] end
  if held[2] or (held[3] and not same) then return 'mismatch', '' end
  if held[3] and held[3] ~= attempt then
    if not deadline or deadline ~= deadline or deadline >= 2 ^ 53 then
      return holds and 'unreadable' or 'unknown', ''
    end
    if deadline > now_ms then return 'in-progress', string.format('%.0f', deadline - now_ms) end
    if kept == 'stands' and held[3] ~= '' then
      return 'outcome-unknown', held[3] .. '\n' .. (redis.call('HGET', key, 'points') or '')
    end
  end
  return 'unknown', ''
end

-- Take the claim of a key that `recall` found unknown. Returns 'granted', or 'taken-over' from another attempt, and its
-- recovery points.
local function claim(key, now_ms, fingerprint, attempt, hold_ms, lifetime_ms)
  local left = redis.call('HMGET', key, 'attempt', 'points')
  redis.call('HSET', key, 'fingerprint', fingerprint, 'attempt', attempt,
    'deadline', string.format('%.0f', now_ms + hold_ms))
  redis.call('PEXPIRE', key, math.max(hold_ms, lifetime_ms))
  return (left[1] and left[1] ~= attempt) and 'taken-over' or 'granted', left[2] or ''
end
