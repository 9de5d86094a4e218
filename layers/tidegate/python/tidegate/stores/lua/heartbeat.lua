-- Who is alive: a sorted set of environments by the time of their last decision.
-- KEYS[1]: the fleet's key. ARGV: this environment's id, seconds after which silence counts as gone.
-- Answer: live environments, this one included.

local now = tonumber(redis.call('TIME')[1])
redis.call('ZADD', KEYS[1], now, ARGV[1])
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - tonumber(ARGV[2]))
redis.call('EXPIRE', KEYS[1], 10 * tonumber(ARGV[2]))
return redis.call('ZCARD', KEYS[1])
