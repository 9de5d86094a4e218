-- The part that all limits' scripts share. Each algorithm's file adds its functions under the letter of its kind.
-- decide[kind](key, now, cost, a, b, carried) decides without writing, and returns the state to keep if it is charged.
-- correct[kind](key, now, units, a, b, carried) returns the state to keep after a correction by so many units.

local decide, correct = {}, {}

-- A moment on the refill clock (see refill_clock.lua): a bucket that isn't kept held one token then; 0: it is full.
local born = 0

local function server_time()
  local time = redis.call('TIME')
  return tonumber(time[1]) * 1000000 + tonumber(time[2])
end

-- Whether a command failed because its key is of another type. Redis 6.2 raises texts, 7 tables.
local function is_wrong_type(raised)
  return string.find(type(raised) == 'table' and raised.err or tostring(raised), 'WRONGTYPE', 1, true) ~= nil
end

-- Read a limit's key. A key of another type is deleted: it holds no limit's state, and blocks writing one.
local function read(command, key, ...)
  local read, value = pcall(redis.call, command, key, ...)
  if read then return value end
  if is_wrong_type(value) then redis.call('DEL', key) end
  return redis.call(command, key, ...) -- raises any other error again
end

-- A number in the form that these scripts write; nil for 'inf', 'nan' or a number above 2^53, beyond which a double
-- isn't exact: such a state would never end.
local function whole(text)
  local number = tonumber(text or '')
  return number and number >= 0 and number < 2 ^ 53 and number or nil
end

-- Write a limit's state: { value, ttl ms }, or a slot as { holder, ttl ms, end of lease µs }.
local function keep(key, kept)
  if kept[3] then
    redis.call('ZADD', key, string.format('%.0f', kept[3]), kept[1])
    if redis.call('PTTL', key) < kept[2] then redis.call('PEXPIRE', key, kept[2]) end
  else
    redis.call('SET', key, kept[1], 'PX', kept[2])
  end
end

-- A charge is five arguments: kind (a capital for a shadow limit), units, a, b, the carried state or the slot's holder.
local CHARGE = 5

local function charge_at(i)
  local kind = ARGV[i]
  local letter, a = string.lower(kind), ARGV[i + 2]
  return letter, kind ~= letter, tonumber(ARGV[i + 1]), tonumber(a) or a, tonumber(ARGV[i + 3]),
    ARGV[i + 4]
end
