-- Tags are voided: every copy that bears one, and every lease that began before now.
-- KEYS: the tags' stamps. ARGV: how long a stamp is kept at least (ms): longer than any lease stands.

local now = server_time()
for _, key in ipairs(KEYS) do
  local before = tonumber(redis.call('GET', key) or 0)
  local lasts = math.max(redis.call('PTTL', key), tonumber(ARGV[1]))
  redis.call('SET', key, string.format('%.0f', math.max(now, before)), 'PX', lasts)
end
return #KEYS
