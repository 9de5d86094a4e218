-- A copy and the lease to make the next one, in one hash: tidegate/cache/freshness.py decides the same.
-- The copy's fields: record, tags, born (µs, when its fill began), made, fresh, stale, error (ms, moments), delta (ms);
-- size, ends, payer: its bytes, until when they count, and for which caller (see cache_room.lua).
-- The lease's: lease (its token), granted (µs), until (ms), claims (its tags), waited (whether a request waits for it).
-- resting: until when no new fill is tried (ms). passing: until when it isn't worth waiting for a fill (ms).
-- Stored data isn't trusted: a malformed field counts as absent. Their tags' stamps: see cache_stamps.lua.

local function grant(key, stamps, now, token, hold_ms, tags)
  local now_ms = math.floor(now / 1000)
  redis.call('HSET', key, 'lease', token, 'granted', string.format('%.0f', now),
    'until', string.format('%.0f', now_ms + hold_ms), 'claims', tags)
  redis.call('HDEL', key, 'waited')
  if redis.call('PTTL', key) < hold_ms then redis.call('PEXPIRE', key, hold_ms) end
  keep_stamps(stamps, tags, now, now_ms, hold_ms)
end

-- Returns nine fields: hit, stale, lease, busy or pass; the copy's record, tags, age ms, the ms left of its freshness
-- and of its two stale times, delta ms; for busy the token of the running lease, for lease 'pass' if waiting for this
-- fill isn't worth it.
local function look_up(key, stamps, now, tags, token, hold_ms, drawn)
  local kept = fields_of(key, 'record', 'tags', 'born', 'made', 'fresh', 'stale', 'error', 'delta',
    'lease', 'granted', 'until', 'claims', 'resting', 'passing')
  local now_ms = math.floor(now / 1000)
  local born, made, ends, stale, gone, delta =
    number(kept[3]), number(kept[4]), number(kept[5]), number(kept[6]), number(kept[7]), number(kept[8])
  local usable = kept[1] and kept[1] ~= '' and born and made and ends and stale and gone and delta and gone > now_ms
    and not is_void(stamps, kept[2], born, now_ms, true)
  local leased = kept[9] and kept[9] ~= token and (number(kept[11]) or 0) > now_ms
    and not is_void(stamps, kept[12], number(kept[10]) or 0, now_ms, false)

  local function answer(state, lease)
    if not usable then return { state, '', '', 0, 0, 0, 0, 0, lease or '' } end
    return { state, kept[1], kept[2] or '', math.max(0, now_ms - made), ends - now_ms, stale - now_ms, gone - now_ms,
      delta, lease or '' }
  end

  if usable then
    local fresh = ends - now_ms
    if fresh > 0 and fresh > delta * drawn then return answer('hit') end
    local resting = (number(kept[13]) or 0) > now_ms
    if leased or resting then
      if fresh > 0 then return answer('hit') end
      if stale > now_ms or resting then return answer('stale') end
    end
  end
  local passing = (number(kept[14]) or 0) > now_ms
  if leased then
    if passing then return answer('pass') end
    redis.call('HSET', key, 'waited', 1)
    return answer('busy', kept[9])
  end
  grant(key, stamps, now, token, hold_ms, tags)
  return answer('lease', passing and 'pass')
end
