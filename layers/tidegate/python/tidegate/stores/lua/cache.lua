-- A copy of an answer and the lease to make the next one, in one hash: tidegate/caching/freshness.py decides the same.
-- Of the copy: record, tags, born (µs, when its making began), made, fresh, stale, error (ms, moments), delta (ms).
-- Of the lease: lease (its token), granted (µs), until (ms), claims (its tags), waited (whether anybody waits for it).
-- resting: until when making it isn't tried again (ms).
-- A tag's stamp is the moment (µs) before which all that bears it is void. A copy whose tag has lost its stamp is void.

local STAMPS_LONGER_MS = 60000

local function is_void(prefix, tags, born, without_stamp)
  for tag in string.gmatch(tags or '', '%S+') do
    local stamp = tonumber(redis.call('GET', prefix .. tag))
    if stamp and stamp >= born then return true end
    if not stamp and without_stamp then return true end
  end
  return false
end

-- Let the stamps live as long as what depends on them; one that isn't there voids all that is older than this.
local function keep_stamps(prefix, tags, born, kept_ms)
  for tag in string.gmatch(tags, '%S+') do
    local key, lasts = prefix .. tag, kept_ms + STAMPS_LONGER_MS
    local left = redis.call('PTTL', key)
    if left == -2 then
      redis.call('SET', key, string.format('%.0f', born - 1), 'PX', lasts)
    elseif left < lasts then
      redis.call('PEXPIRE', key, lasts)
    end
  end
end

local function grant(key, prefix, now, token, hold_ms, tags)
  redis.call('HSET', key, 'lease', token, 'granted', string.format('%.0f', now),
    'until', string.format('%.0f', math.floor(now / 1000) + hold_ms), 'claims', tags)
  redis.call('HDEL', key, 'waited')
  if redis.call('PTTL', key) < hold_ms then redis.call('PEXPIRE', key, hold_ms) end
  keep_stamps(prefix, tags, now, hold_ms)
end

-- Returns hit, stale, lease or busy; the copy's record, tags, age ms, freshness left ms, delta ms; a busy lease.
local function look_up(key, prefix, now, token, hold_ms, drawn, tags)
  local kept = redis.call('HMGET', key, 'record', 'tags', 'born', 'made', 'fresh', 'stale', 'error', 'delta',
    'lease', 'granted', 'until', 'claims', 'resting')
  local now_ms = math.floor(now / 1000)
  local function number(i) return tonumber(kept[i] or 0) end
  local fresh, delta = number(5) - now_ms, number(8)
  local usable = kept[1] and number(7) > now_ms and not is_void(prefix, kept[2], number(3), true)
  local leased = kept[9] and kept[9] ~= token and number(11) > now_ms
    and not is_void(prefix, kept[12], number(10), false)

  local function answer(state, lease)
    if not usable then return { state, '', '', 0, 0, 0, lease or '' } end
    return { state, kept[1], kept[2], now_ms - number(4), fresh, delta, lease or '' }
  end

  if usable then
    if fresh > 0 and fresh > delta * drawn then return answer('hit') end
    local resting = number(13) > now_ms
    if leased or resting then
      if fresh > 0 then return answer('hit') end
      if number(6) > now_ms or resting then return answer('stale') end
    end
  end
  if leased then
    redis.call('HSET', key, 'waited', 1)
    return answer('busy', kept[9])
  end
  grant(key, prefix, now, token, hold_ms, tags)
  return answer('lease')
end
