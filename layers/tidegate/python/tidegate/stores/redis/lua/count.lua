-- Counts a batch once. KEYS: the minute's hash, the number of this environment's latest batch.
-- ARGV: the batch's number, seconds to keep both, then each field and the number to add to it.
-- Reply: 1, or 0 if the batch was counted before.

local number, kept_s = tonumber(ARGV[1]), ARGV[2]
if tonumber(redis.call('GET', KEYS[2]) or '0') >= number then
  return 0
end
redis.call('SET', KEYS[2], number, 'EX', kept_s)
for i = 3, #ARGV, 2 do
  redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1])
end
redis.call('EXPIRE', KEYS[1], kept_s)
return 1
