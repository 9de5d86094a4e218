-- Deletes a copy that can't be read, and its lease with it, if it still is the one that was read.
-- KEYS[1]: the copy's key. ARGV[1]: the digest of its record.

local is_hash, record = pcall(redis.call, 'HGET', KEYS[1], 'record')
if not is_hash or not record or redis.sha1hex(record) == ARGV[1] then redis.call('DEL', KEYS[1]) end
return 1
