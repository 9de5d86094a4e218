-- What the holder of a lease leaves: the new copy, or none. Whoever waits for it is woken.
-- KEYS[1]: the copy's key. ARGV: token, the stamps' prefix, store?, record, tags, fresh, stale, error, delta, rest (ms).
-- Answer: 1 if done, 0 if the lease was lost, or one of the tags was voided since it was granted.

local key, token, prefix, store = KEYS[1], ARGV[1], ARGV[2], ARGV[3] == '1'
local held = redis.call('HMGET', key, 'lease', 'granted', 'waited', 'record')
if held[1] ~= token then return 0 end

local now_ms, granted = math.floor(server_time() / 1000), tonumber(held[2])
local function moment(ms) return string.format('%.0f', now_ms + ms) end
redis.call('HDEL', key, 'lease', 'granted', 'until', 'claims', 'waited')

local done = 1
if store and is_void(prefix, ARGV[5], granted, false) then
  done = 0
elseif store then
  local fresh, stale, error = tonumber(ARGV[6]), tonumber(ARGV[7]), tonumber(ARGV[8])
  redis.call('HSET', key, 'record', ARGV[4], 'tags', ARGV[5], 'born', held[2], 'made', moment(0),
    'fresh', moment(fresh), 'stale', moment(fresh + stale), 'error', moment(fresh + error), 'delta', ARGV[9])
  redis.call('HDEL', key, 'resting')
  redis.call('PEXPIRE', key, fresh + error)
  keep_stamps(prefix, ARGV[5], granted, fresh + error)
elseif held[4] and tonumber(ARGV[10]) > 0 then
  redis.call('HSET', key, 'resting', moment(tonumber(ARGV[10])))
end

if held[3] then
  local woken = key .. ':w:' .. token
  redis.call('XADD', woken, '*', 'done', done)
  redis.call('PEXPIRE', woken, 30000)
end
return done
