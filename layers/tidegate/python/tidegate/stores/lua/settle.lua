-- What a finished request leaves: the answer to replay, or the claim's release.
-- KEYS[1]: the claim's key. ARGV: fingerprint, attempt, lifetime ms, fenced, complete, record.
-- Answer: 1 if done, 0 if it was fenced and the claim was no longer this attempt's.

local fenced, complete = ARGV[4] == '1', ARGV[5] == '1'
local holder = redis.call('HGET', KEYS[1], 'attempt')
-- A claim that Redis has lost was taken over by nobody: what was done under it still counts.
if fenced and holder and holder ~= ARGV[2] then return 0 end
if not complete then
  if redis.call('HEXISTS', KEYS[1], 'record') == 0 then redis.call('DEL', KEYS[1]) end
  return 1
end
redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'attempt', ARGV[2], 'record', ARGV[6])
redis.call('PEXPIRE', KEYS[1], ARGV[3])
return 1
