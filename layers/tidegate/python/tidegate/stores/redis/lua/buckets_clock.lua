-- The time on the refill clock, for decisions. On one node an environment brings the life of the server's memory that
-- it knows, and the clock is read here. On a cluster it brings its latest reading, `paused:held_from:held_until:born`.

local on_buckets_clock = { b = true, d = true }
-- Decisions are signs of life, too, noted at most once in so many µs.
local SEEN_EVERY = 50000

local function clock_as_brought(reading, server)
  local paused, held_from, held_until, known_born = string.match(reading, '^(%d+):(%d+):(%d+):(%d+)$')
  born = tonumber(known_born)
  return time_on_clock(
    { paused = tonumber(paused), held_from = tonumber(held_from), held_until = tonumber(held_until) }, server)
end

local function clock_as_kept(key, server, known)
  local clock = clock_since_loss(key, read_clock(key), known, server)
  if clock.life > 0 and server - clock.seen > SEEN_EVERY then
    clock.seen = server
    store_clock(key, clock)
  end
  born = clock.born
  return time_on_clock(clock, server)
end

local function buckets_clock(reading, key, server)
  local known = tonumber(reading)
  if not known then return clock_as_brought(reading, server) end
  local life, paused, seen, _, held_from, held_until, _, birth = stored_clock(key)
  if life then -- the usual case, without a table: no memory was lost, and there was a decision a moment ago
    if (known == 0 or known == life or birth > 0) and server - seen <= SEEN_EVERY then
      born = birth
      return (server < held_until and held_from or server) - paused
    end
  end
  return clock_as_kept(key, server, known)
end
