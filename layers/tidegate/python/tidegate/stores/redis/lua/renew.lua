-- Renews a claim: moves its deadline, and keeps its recovery points.
-- KEYS[1]: the claim's key. ARGV: fingerprint, attempt, hold ms, lifetime ms, points ('' for none).
-- Reply: 1 if done, 0 if the claim has ended or is another attempt's.

local held = redis.call('HMGET', KEYS[1], 'attempt', 'record')
-- A claim that Redis has lost is written anew, since no other attempt has taken it over.
if held[2] or (held[1] and held[1] ~= ARGV[2]) then return 0 end
local time = redis.call('TIME')
local deadline = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000) + tonumber(ARGV[3])
redis.call('HSET', KEYS[1], 'fingerprint', ARGV[1], 'attempt', ARGV[2], 'deadline', string.format('%.0f', deadline))
if ARGV[5] ~= '' then redis.call('HSET', KEYS[1], 'points', ARGV[5]) end
redis.call('PEXPIRE', KEYS[1], math.max(tonumber(ARGV[3]), tonumber(ARGV[4])))
return 1
