-- What was charged is put right: more, less, a slot freed or its lease renewed. Never refuses.
-- KEYS: one per limit, then the ladder's where one node has them all.
-- ARGV: the ladder as the asker knows it (see buckets_clock.lua), each correction (see limits.lua), units as what is due beyond what was charged.

local now, limits = server_time(), (#ARGV - 1) / CHARGE
local bucket_now = buckets_clock(ARGV[1], KEYS[#KEYS], now)
for i = 1, limits do
  local kind, _, units, a, b, brought = charge_at(2 + CHARGE * (i - 1))
  local kept = correct[kind](KEYS[i], on_buckets_clock[kind] and bucket_now or now, units, a, b, brought)
  if kept then keep(KEYS[i], kept) end
end
return limits
