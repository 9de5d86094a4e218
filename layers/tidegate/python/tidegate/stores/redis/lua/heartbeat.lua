-- An environment's heartbeat: it counts the fleet, ends the environment's outage, and shares the fleet's secret.
-- The fleet is a sorted set of environments by their last sign of life (s), and one by name.
-- KEYS: the fleet's, the refill clock's, the fleet's by name, a mark of when that one was rebuilt, the secret's.
-- ARGV: this environment's id, seconds of silence after which an environment counts as gone,
--       the life of the server's memory that it knows (0: none), how long it was away µs (0: it wasn't), awake µs,
--       how many environments it knows of, the secret that it offers if there is none (empty: it doesn't ask).
-- Reply: live environments, this one's rank among them from 0, life, then the refill clock: paused, held from,
--        held until, born; then the secret, if it asks.

local KEPT_LONGER = 60000000
local AT_ONCE, KEPT_S, MADE_EVERY_S, SECRET_KEPT_S = 1000, 86400, 5, 40 * 86400

local function subtract_outage(clock, server, away_us, used_us, environments)
  local away = math.max(server - away_us, clock.back)
  local seen = math.min(server, math.max(away, clock.seen))
  local paused = server - seen + math.floor(math.min(seen - away, used_us) / environments)
  if server < clock.held_until then
    clock.held_from = clock.held_from + paused
  else
    clock.held_from, clock.held_until = server, environments > 1 and server + math.min(SPREAD, server - seen) or server
  end
  clock.paused, clock.seen, clock.back, clock.growing = clock.paused + paused, server, server, clock.growing + paused
  if clock.growing >= KEPT_LONGER then clock.growing, clock.born = 0, time_on_clock(clock, server) end
end

local server, id, silent_s = server_time(), ARGV[1], tonumber(ARGV[2])
local clock = clock_since_loss(KEYS[2], read_clock(KEYS[2]), tonumber(ARGV[3]), server)
if clock.life == 0 then clock.life, clock.seen = server, server end

-- A young memory hasn't counted the whole fleet yet, so this environment's own number is believed if it is larger.
local known = server - clock.life < silent_s * 1000000 and tonumber(ARGV[6]) or 1
if tonumber(ARGV[4]) > 0 then
  subtract_outage(clock, server, tonumber(ARGV[4]), tonumber(ARGV[5]), math.max(known, read('ZCARD', KEYS[1])))
end
clock.seen = server
store_clock(KEYS[2], clock)

-- The time of an outage doesn't count as silence.
local now_s = math.floor((server - clock.paused) / 1000000)
read('ZADD', KEYS[1], now_s, id)
-- The rank is taken by name: by time it would change with every heartbeat.
read('ZADD', KEYS[3], 0, id)
-- Each environment is removed once, so removals cost no more than arrivals.
local gone
repeat
  gone = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', now_s - silent_s, 'LIMIT', 0, AT_ONCE)
  if #gone > 0 then
    redis.call('ZREM', KEYS[1], unpack(gone))
    redis.call('ZREM', KEYS[3], unpack(gone))
  end
until #gone < AT_ONCE
local alive = redis.call('ZCARD', KEYS[1])
-- Environments of an earlier release don't write the second set. If the sets differ, it is rebuilt, but not too often.
if redis.call('ZCARD', KEYS[3]) ~= alive and redis.call('SET', KEYS[4], 1, 'NX', 'EX', MADE_EVERY_S) then
  redis.call('ZUNIONSTORE', KEYS[3], 1, KEYS[1], 'WEIGHTS', 0)
end
for _, key in ipairs({ KEYS[1], KEYS[3] }) do redis.call('EXPIRE', key, KEPT_S) end
local rank = math.min(redis.call('ZRANK', KEYS[3], id), alive - 1)

local answer = {
  math.max(known, alive), rank, clock.life, clock.paused, clock.held_from, clock.held_until, clock.born,
}
if ARGV[7] ~= '' then
  answer[8] = read('GET', KEYS[5])
  if not answer[8] then
    answer[8] = ARGV[7]
    redis.call('SET', KEYS[5], ARGV[7], 'EX', SECRET_KEPT_S)
  end
end
return answer
