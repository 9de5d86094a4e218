-- The clock by which buckets refill: tidegate/algorithms/standstill.py is the same in Python, and the truth.
-- Beside the fleet: life, stood, seen, back, held_from, held_until, growing, born (all µs).

local SPREAD, LADDER_KEPT_MS = 1200000, 40 * 86400000

-- Read at every decision: eight doubles, which are read in a third of the time of a hash's eight fields.
local STAND = '>dddddddd'

local function stand_of(key)
  local kept = redis.call('GET', key)
  if not kept then
    return { life = 0, stood = 0, seen = 0, back = 0, held_from = 0, held_until = 0, growing = 0, born = 0 }
  end
  local life, stood, seen, back, held_from, held_until, growing, birth = struct.unpack(STAND, kept)
  return {
    life = life, stood = stood, seen = seen, back = back, held_from = held_from, held_until = held_until,
    growing = growing, born = birth,
  }
end

local function keep_stand(key, stand)
  redis.call('SET', key, struct.pack(STAND, stand.life, stand.stood, stand.seen, stand.back, stand.held_from,
    stand.held_until, stand.growing, stand.born), 'PX', LADDER_KEPT_MS)
end

local function stand_now(stand, server)
  return (server < stand.held_until and stand.held_from or server) - stand.stood
end

-- The memory was lost if somebody remembers another life of it; the first one who does says so for all.
local function stand_since_loss(key, stand, life, server)
  if life == 0 or life == stand.life or stand.born > 0 then return stand end
  stand = {
    life = stand.life > 0 and stand.life or server, stood = 0, seen = server, back = server,
    held_from = server, held_until = server + SPREAD, growing = 0, born = server,
  }
  keep_stand(key, stand)
  return stand
end
