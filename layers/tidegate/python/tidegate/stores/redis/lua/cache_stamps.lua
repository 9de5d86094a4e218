-- A route's stamps in one hash: by tag 'moment:until', when it was voided last (µs), and until when that counts (ms).
-- Copies and leases with that tag from before the moment are void. So is a copy whose tag has lost its stamp.
-- One hash, because a script must be told every key that it touches, and only a copy itself tells its tags.
-- Stored data isn't trusted: a malformed field counts as absent, a malformed stamp voids.

local STAMPS_LONGER_MS = 60000
-- One command reads at most so many stamps.
local AT_ONCE = 500
-- Ended fields go a few at a time: whoever writes one looks at so many others.
local SWEPT = 8

-- A moment, a duration or a count; nil if the text is no such number.
local function number(text)
  local n = tonumber(text or nil)
  if n and n >= 0 and n < 9007199254740992 then return n end
end

-- A command's reply; nil if the key is of another type.
local function tried(...)
  local done, reply = pcall(redis.call, ...)
  if done then return reply end
end

-- The fields of the hash, in this order. A key that is no hash is deleted.
local function fields_of(key, ...)
  local kept = tried('HMGET', key, ...)
  if not kept then redis.call('DEL', key) end
  return kept or {}
end

-- Keep a hash for at least so long, and delete some of its fields that have ended.
local function keep_and_sweep(key, lasts_ms, has_ended)
  if redis.call('PTTL', key) < lasts_ms then redis.call('PEXPIRE', key, string.format('%.0f', lasts_ms)) end
  local some = redis.call('HRANDFIELD', key, SWEPT, 'WITHVALUES')
  for i = 1, #some, 2 do
    if has_ended(some[i + 1]) then redis.call('HDEL', key, some[i]) end
  end
end

-- A stamp's moment and end; nil if there is none now, false if it is malformed.
local function stamp_of(text, now_ms)
  if not text then return nil end
  local moment, ends = string.match(text, '^(%d+):(%d+)$')
  moment, ends = number(moment), number(ends)
  if not moment or not ends then return false end
  if ends <= now_ms then return nil end
  return moment, ends
end

local function tags_in(text)
  local tags = {}
  for tag in string.gmatch(text or '', '%S+') do tags[#tags + 1] = tag end
  return tags
end

-- Call `with` with each tag and the text of its stamp, until it returns true; returns that.
local function any_stamp(stamps, tags, with)
  for first = 1, #tags, AT_ONCE do
    local last = math.min(first + AT_ONCE - 1, #tags)
    local kept = fields_of(stamps, unpack(tags, first, last))
    for i = first, last do
      if with(tags[i], kept[i - first + 1]) then return true end
    end
  end
  return false
end

local function is_void(stamps, tags, born, now_ms, without_stamp)
  return any_stamp(stamps, tags_in(tags), function(_, text)
    local moment = stamp_of(text, now_ms)
    if moment == nil then return without_stamp end
    return not moment or moment >= born
  end)
end

local function write_stamp(stamps, tag, moment, ends)
  redis.call('HSET', stamps, tag, string.format('%.0f:%.0f', moment, ends))
end

local function keep_stamps_hash(stamps, lasts_ms, now_ms)
  keep_and_sweep(stamps, lasts_ms, function(text) return not stamp_of(text, now_ms) end)
end

-- Keep the stamps as long as the copy or lease that depends on them. A missing one is set, and voids older copies.
local function keep_stamps(stamps, tags, born, now_ms, kept_ms)
  local lasts, written = kept_ms + STAMPS_LONGER_MS, false
  any_stamp(stamps, tags_in(tags), function(tag, text)
    local moment, ends = stamp_of(text, now_ms)
    if not moment or ends < now_ms + lasts then
      write_stamp(stamps, tag, moment or born - 1, now_ms + lasts)
      written = true
    end
  end)
  if written then keep_stamps_hash(stamps, lasts, now_ms) end
end
