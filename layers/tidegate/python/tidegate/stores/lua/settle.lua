-- What a finished request leaves: the answer to replay, or the claim's release.
-- KEYS[1]: the claim's key. ARGV: fingerprint, attempt, lifetime ms, fenced, complete, record.
-- Answer: 1 if done, 0 if it was fenced and the claim was no longer this attempt's.

local fenced, complete = ARGV[4] == '1', ARGV[5] == '1'
local holder = redis.call('HGET', KEYS[1], 'attempt')
-- A claim that Redis has lost was taken over by nobody: what was done under it still counts.
if fenced and holder and holder ~= ARGV[2] then return 0 end
if complete then
  redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'attempt', ARGV[2], 'record', ARGV[6])
  redis.call('HDEL', KEYS[1], 'points')
  redis.call('PEXPIRE', KEYS[1], ARGV[3])
  return 1
end
local kept = redis.call('HMGET', KEYS[1], 'record', 'points')
if kept[2] and not kept[1] then
  -- Steps were done under it: it stays for the next attempt to continue, held by nobody.
  redis.call('HSET', KEYS[1], 'attempt', '', 'deadline', '0')
elseif not kept[1] then
  redis.call('DEL', KEYS[1])
end
return 1
