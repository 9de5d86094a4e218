-- Voids tags: every copy with one of them, and every lease that began before now.
-- KEYS: the routes' stamps. ARGV: for how long at least a stamp is kept (ms): longer than any lease lasts; then the tags.

local now = server_time()
local now_ms, lasts, tags = math.floor(now / 1000), tonumber(ARGV[1]), {}
for i = 2, #ARGV do tags[i - 1] = ARGV[i] end
for _, key in ipairs(KEYS) do
  any_stamp(key, tags, function(tag, text)
    local before, ends = stamp_of(text, now_ms)
    write_stamp(key, tag, math.max(now, before or 0), math.max(now_ms + lasts, ends or 0))
  end)
  if #tags > 0 then keep_stamps_hash(key, lasts, now_ms) end
end
return #KEYS
