-- Corrects charges: more units, fewer, a slot freed or its lease renewed. Never refuses.
-- KEYS: one per limit, then what limits read beside their own (see quota.lua), then the refill clock's if one node has
--       all keys.
-- ARGV: the environment's reading of the refill clock (see buckets_clock.lua), then each correction in the form of a
--       charge (see limits.lua), whose units are the difference to the units charged before.

local now, limits = server_time(), (#ARGV - 1) / CHARGE
local bucket_now = buckets_clock(ARGV[1], KEYS[#KEYS], now)
for i = 1, limits do
  local kind, _, units, a, b, carried = charge_at(2 + CHARGE * (i - 1))
  local kept = correct[kind](KEYS[i], on_buckets_clock[kind] and bucket_now or now, units, a, b, carried)
  if kept then keep(KEYS[i], kept) end
end
return limits
