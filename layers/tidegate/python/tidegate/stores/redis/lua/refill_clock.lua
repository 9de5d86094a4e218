-- The refill clock: the same as tidegate/stores/redis/refill_clock.py, which defines it.
-- Kept beside the fleet: life, paused, seen, back, held_from, held_until, growing, born (all µs).

local SPREAD, CLOCK_KEPT_MS = 1200000, 40 * 86400000

-- Eight doubles, because every decision reads them: a hash's eight fields take three times as long.
local CLOCK_FORMAT = '>dddddddd'
local CLOCK_BYTES = 64

-- The eight numbers; false if there are none, or if they are malformed.
local function stored_clock(key)
  local kept = read('GET', key)
  if not kept or #kept ~= CLOCK_BYTES then return false end
  local a, b, c, d, e, f, g, h = struct.unpack(CLOCK_FORMAT, kept)
  -- Refused: nan, and numbers above 2^53, beyond which a double isn't exact.
  local sum = a + b + c + d + e + f + g + h -- nan if one of them is
  if not (sum >= 0 and math.min(a, b, c, d, e, f, g, h) >= 0 and math.max(a, b, c, d, e, f, g, h) < 2 ^ 53) then
    return false
  end
  return a, b, c, d, e, f, g, h
end

local function read_clock(key)
  local life, paused, seen, back, held_from, held_until, growing, birth = stored_clock(key)
  if not life then
    return { life = 0, paused = 0, seen = 0, back = 0, held_from = 0, held_until = 0, growing = 0, born = 0 }
  end
  return {
    life = life, paused = paused, seen = seen, back = back, held_from = held_from, held_until = held_until,
    growing = growing, born = birth,
  }
end

local function store_clock(key, clock)
  redis.call('SET', key, struct.pack(CLOCK_FORMAT, clock.life, clock.paused, clock.seen, clock.back, clock.held_from,
    clock.held_until, clock.growing, clock.born), 'PX', CLOCK_KEPT_MS)
end

local function time_on_clock(clock, server)
  return (server < clock.held_until and clock.held_from or server) - clock.paused
end

-- The memory was lost if an environment remembers another life of it. The first such environment begins the clock anew.
local function clock_since_loss(key, clock, life, server)
  if life == 0 or life == clock.life or clock.born > 0 then return clock end
  clock = {
    life = clock.life > 0 and clock.life or server, paused = 0, seen = server, back = server,
    held_from = server, held_until = server + SPREAD, growing = 0, born = server,
  }
  store_clock(key, clock)
  return clock
end
