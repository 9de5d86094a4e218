-- The one question, decided at once: every limit is looked at, and charged only if all admit.
-- A key whose answer is known is answered from it, and charged nothing: a replay costs no more than a refusal.
-- KEYS: one per limit, then the claim's and the copy's if there are any, then the ladder's where one node has them all.
-- ARGV: limits, claim?, peek?, the ladder as the asker knows it (see buckets_clock.lua), copy?, each charge (see limits.lua),
--       then of the claim fingerprint, attempt, hold ms, lifetime ms, in_redis,
--       then of the copy the stamps' prefix, token, hold ms, draw, tags (see cache.lua).
-- Answer: admitted, then allowed, remaining, retry_after µs, wait µs, debt µs or counts per limit,
--         then the claim's state and payload, then, if it is admitted, the copy's seven (see cache.lua).

local limits, with_claim, peek, with_copy = tonumber(ARGV[1]), ARGV[2] == '1', ARGV[3] == '1', ARGV[5] == '1'
local now, c = server_time(), 5 + CHARGE * limits
local now_ms, claim_key = math.floor(now / 1000), KEYS[limits + 1]

local bucket_now = buckets_clock(ARGV[4], KEYS[#KEYS], now)

local state, payload = 'unknown', ''
if with_claim then state, payload = recall(claim_key, now_ms, ARGV[c + 1], ARGV[c + 2]) end
local known = state ~= 'unknown'

local admitted, decisions = true, {}
for i = 1, limits do
  local kind, shadow, cost, a, b, brought = charge_at(6 + CHARGE * (i - 1))
  local decision = decide[kind](KEYS[i], on_buckets_clock[kind] and bucket_now or now, cost, a, b, brought)
  admitted = admitted and (decision.allowed or shadow)
  decisions[i] = decision
end

local charged = admitted and not known and not peek
local answer = { (admitted or known) and 1 or 0 }
for i = 1, limits do
  local decision = decisions[i]
  local stands = decision.uncharged
  if charged and decision.allowed then
    keep(KEYS[i], decision.kept)
    stands = decision.charged
  end
  local n = #answer
  answer[n + 1], answer[n + 2], answer[n + 3] = decision.allowed and 1 or 0, stands[1], decision.retry_after
  answer[n + 4], answer[n + 5] = decision.wait, stands[2]
end

if with_claim then
  if charged and ARGV[c + 5] == '1' then
    state, payload =
      claim(claim_key, now_ms, ARGV[c + 1], ARGV[c + 2], tonumber(ARGV[c + 3]), tonumber(ARGV[c + 4]))
  end
  answer[#answer + 1] = state
  answer[#answer + 1] = payload
end
if with_copy and admitted then
  local at = c + (with_claim and 5 or 0)
  local found = look_up(KEYS[limits + (with_claim and 2 or 1)], ARGV[at + 1], now, ARGV[at + 2],
    tonumber(ARGV[at + 3]), tonumber(ARGV[at + 4]), ARGV[at + 5])
  for i = 1, #found do answer[#answer + 1] = found[i] end
end
return answer
