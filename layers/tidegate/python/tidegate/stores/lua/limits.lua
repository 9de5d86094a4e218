-- What the limits' scripts share: each algorithm's file adds its functions to these, by the letter of its kind.
-- decide[kind](key, now, cost, a, b, known) looks without writing: whether it allows, and what to keep if charged.
-- correct[kind](key, now, units, a, b, known) says what to keep after units more were due.

local decide, correct = {}, {}

-- When Redis' memory was born on the buckets' clock (see ladder.lua): a bucket that it doesn't keep held one token then.
local born = 0

local function server_time()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- Write what a limit keeps: { value, ttl ms }, or a slot as { holder, ttl ms, end of lease µs }.
local function keep(key, kept)
  if kept[3] then
    redis.call('ZADD', key, string.format('%.0f', kept[3]), kept[1])
    if redis.call('PTTL', key) < kept[2] then redis.call('PEXPIRE', key, kept[2]) end
  else
    redis.call('SET', key, kept[1], 'PX', kept[2])
  end
end

-- A charge is five arguments: kind (a capital: it only reports), units, a, b, what the asker knows.
local CHARGE = 5

local function charge_at(i)
  local kind = ARGV[i]
  local letter, a = string.lower(kind), ARGV[i + 2]
  return letter, kind ~= letter, tonumber(ARGV[i + 1]), tonumber(a) or a, tonumber(ARGV[i + 3]),
    ARGV[i + 4]
end
