-- Settles a claim: keeps the response for replays, or releases the claim.
-- KEYS[1]: the claim's key. ARGV: fingerprint, attempt, lifetime ms, fenced, complete, record.
-- Reply: 1 if done, 0 if it was fenced and the claim was no longer this attempt's.

local fenced, complete = ARGV[4] == '1', ARGV[5] == '1'
-- An unfenced copy replaces whatever is kept here: the store that holds the claim has decided which response counts.
if not fenced and complete then
  local kind = redis.call('TYPE', KEYS[1]).ok
  if kind ~= 'hash' and kind ~= 'none' then redis.call('DEL', KEYS[1]) end
end
local holder = redis.call('HGET', KEYS[1], 'attempt')
-- If Redis has lost the claim, no other attempt has taken it over: the response of this one counts.
if fenced and holder and holder ~= ARGV[2] then return 0 end
if complete then
  redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'attempt', ARGV[2], 'record', ARGV[6])
  redis.call('HDEL', KEYS[1], 'points')
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return 1
end
local kept = redis.call('HMGET', KEYS[1], 'record', 'points')
if kept[2] and not kept[1] then
  -- Steps were done under the claim: it is kept without a holder, for the next attempt to continue.
  redis.call('HSET', KEYS[1], 'attempt', '', 'deadline', '0')
elseif not kept[1] then
  redis.call('DEL', KEYS[1])
end
return 1
