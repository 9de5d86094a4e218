-- The time on the buckets' clock, for decisions. On one node the asker says which life of the server's memory it knows,
-- and the ladder is read; on a cluster it brings `stood:held_from:held_until:born` as it heard them last.

local on_buckets_clock = { b = true, d = true }
-- Decisions are signs of life, too: this many µs apart.
local SEEN_EVERY = 50000

local function clock_as_told(told, server)
  local stood, held_from, held_until, known_born = string.match(told, '^(%d+):(%d+):(%d+):(%d+)$')
  born = tonumber(known_born)
  return stand_now(
    { stood = tonumber(stood), held_from = tonumber(held_from), held_until = tonumber(held_until) }, server)
end

local function clock_as_kept(key, server, known)
  local stand = stand_since_loss(key, stand_of(key), known, server)
  if stand.life > 0 and server - stand.seen > SEEN_EVERY then
    stand.seen = server
    keep_stand(key, stand)
  end
  born = stand.born
  return stand_now(stand, server)
end

local function buckets_clock(told, key, server)
  local known = tonumber(told)
  if not known then return clock_as_told(told, server) end
  local kept = redis.call('GET', key)
  if kept then -- the usual case without a table: nothing was lost, and a decision was seen a moment ago
    local life, stood, seen, _, held_from, held_until, _, birth = struct.unpack(STAND, kept)
    if (known == 0 or known == life or birth > 0) and server - seen <= SEEN_EVERY then
      born = birth
      return (server < held_until and held_from or server) - stood
    end
  end
  return clock_as_kept(key, server, known)
end
