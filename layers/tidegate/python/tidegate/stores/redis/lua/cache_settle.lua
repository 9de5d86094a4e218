-- Settles a lease: keeps the new copy, if there is one, and wakes the requests that wait for it.
-- KEYS: the copy's, what the requests wait for, its route's stamps, then for the room (see cache_room.lua) the ledger of
--       all copies, the callers' accounts, the memory's mark.
-- ARGV: token, store?, record, tags, fresh, stale, error, delta, rest and pass (ms), then for the room payer, the
--       payer's bytes, all bytes.
-- Reply: 1 if done; 0 if the lease was lost, or one of the tags was voided since it was granted; 2 or 3 if there is no
-- room for the copy.

local key, stamps, token, store, pass = KEYS[1], KEYS[3], ARGV[1], ARGV[2] == '1', tonumber(ARGV[10])
local held = fields_of(key, 'lease', 'granted', 'waited', 'record', 'size', 'ends', 'payer')
local granted = number(held[2])
if held[1] ~= token or not granted then return 0 end

local now_ms = math.floor(server_time() / 1000)
local function moment(ms) return string.format('%.0f', now_ms + ms) end
redis.call('HDEL', key, 'lease', 'granted', 'until', 'claims', 'waited')

local done = 1
if store and is_void(stamps, ARGV[4], granted, now_ms, false) then
  done = 0
elseif store then
  local fresh, stale, error = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
  local old, size, ends = { size = held[5], ends = held[6], payer = held[7] }
  done, size, ends = make_room(ARGV[11], tonumber(ARGV[12]), tonumber(ARGV[13]), old,
    string.len(ARGV[3]), fresh + error, now_ms)
  if done == 1 then
    redis.call('HSET', key, 'record', ARGV[3], 'tags', ARGV[4], 'born', held[2], 'made', moment(0),
      'fresh', moment(fresh), 'stale', moment(fresh + stale), 'error', moment(fresh + error), 'delta', ARGV[8],
      'size', size, 'ends', string.format('%.0f', ends), 'payer', ARGV[11])
    redis.call('HDEL', key, 'resting', 'passing')
    redis.call('PEXPIRE', key, fresh + error)
    keep_stamps(stamps, ARGV[4], granted, now_ms, fresh + error)
  end
elseif held[4] and tonumber(ARGV[9]) > 0 then
  redis.call('HSET', key, 'resting', moment(tonumber(ARGV[9])))
end
if not store and pass > 0 then
  redis.call('HSET', key, 'passing', moment(pass))
  if redis.call('PTTL', key) < pass then redis.call('PEXPIRE', key, pass) end
end

if held[3] then
  redis.call('XADD', KEYS[2], '*', 'done', done)
  redis.call('PEXPIRE', KEYS[2], 30000)
end
return done
