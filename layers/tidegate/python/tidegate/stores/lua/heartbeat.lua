-- Who is alive: a sorted set of environments by the time of their last sign of life; and who comes back, from where.
-- KEYS: the fleet's, the ladder's. ARGV: this environment's id, seconds after which silence counts as gone,
--       the life of the server's memory that it knows (0: none), how long it was away µs (0: it wasn't), awake µs,
--       how many environments it knows of.
-- Answer: live environments, this one's place among them from 0, life, then the buckets' clock: stood, held from,
--         held until, born.

local KEPT_LONGER = 60000000

local function stand_returned(stand, server, away_us, used_us, environments)
  local away = math.max(server - away_us, stand.back)
  local seen = math.min(server, math.max(away, stand.seen))
  local stood = server - seen + math.floor(math.min(seen - away, used_us) / environments)
  if server < stand.held_until then
    stand.held_from = stand.held_from + stood
  else
    stand.held_from, stand.held_until = server, environments > 1 and server + math.min(SPREAD, server - seen) or server
  end
  stand.stood, stand.seen, stand.back, stand.growing = stand.stood + stood, server, server, stand.growing + stood
  if stand.growing >= KEPT_LONGER then stand.growing, stand.born = 0, stand_now(stand, server) end
end

local server, id, silent_s = server_time(), ARGV[1], tonumber(ARGV[2])
local stand = stand_since_loss(KEYS[2], stand_of(KEYS[2]), tonumber(ARGV[3]), server)
if stand.life == 0 then stand.life, stand.seen = server, server end

-- What this memory hasn't had the time to count, the asker knows.
local known = server - stand.life < silent_s * 1000000 and tonumber(ARGV[6]) or 1
if tonumber(ARGV[4]) > 0 then
  stand_returned(stand, server, tonumber(ARGV[4]), tonumber(ARGV[5]), math.max(known, redis.call('ZCARD', KEYS[1])))
end
stand.seen = server
keep_stand(KEYS[2], stand)

-- Seconds in which the fleet was away make nobody silent.
local now_s = math.floor((server - stand.stood) / 1000000)
redis.call('ZADD', KEYS[1], now_s, id)
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now_s - silent_s)
redis.call('EXPIRE', KEYS[1], 86400)
-- By time the places would change with every heartbeat; by name they don't.
local rank = 0
for _, other in ipairs(redis.call('ZRANGE', KEYS[1], 0, -1)) do
  if other < id then rank = rank + 1 end
end
local environments = math.max(known, redis.call('ZCARD', KEYS[1]))
return { environments, rank, stand.life, stand.stood, stand.held_from, stand.held_until, stand.born }
