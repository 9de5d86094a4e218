-- What was charged is put right: more, less, a slot freed or its lease renewed. Never refuses.
-- KEYS: one per limit. ARGV: each correction (see limits.lua), units as what is due beyond what was charged.

local now = server_time()
for i = 1, #KEYS do
  local kind, _, units, a, b, brought = charge_at(1 + CHARGE * (i - 1))
  local kept = correct[kind](KEYS[i], now, units, a, b, brought)
  if kept then keep(KEYS[i], kept) end
end
return #KEYS
