-- Decides a whole question: every limit is read, and all are charged only if all admit.
-- An idempotency key with a stored response, or with another attempt's claim, is reported without a charge: a replay
-- costs no more than a refusal.
-- KEYS: one per limit, then the claim's if wanted, then the copy's and its route's stamps if wanted, then what limits
--       read beside their own (see quota.lua), then the refill clock's if one node has all keys.
-- ARGV: limits, claim?, peek?, the environment's reading of the refill clock (see buckets_clock.lua), copy?,
--       each charge (see limits.lua),
--       then for a claim fingerprint, attempt, hold ms, lifetime ms, what is kept here (see claim.lua),
--       then for a copy tags, token, hold ms, draw (see cache.lua).
-- Reply: admitted, then for each limit allowed, remaining, retry_after µs, wait µs, debt µs or counts,
--        then the claim's state and payload, then, if the question is admitted, the copy's nine (see cache.lua),
--        and last, if there is a claim or a copy, the attempt, or without a claim the copy's token: it tells whose
--        reply this is.

local limits, with_claim, peek, with_copy = tonumber(ARGV[1]), ARGV[2] == '1', ARGV[3] == '1', ARGV[5] == '1'
local now, c = server_time(), 5 + CHARGE * limits
local now_ms, claim_key = math.floor(now / 1000), KEYS[limits + 1]

local bucket_now = buckets_clock(ARGV[4], KEYS[#KEYS], now)

local state, payload = 'unknown', ''
if with_claim then state, payload = recall(claim_key, now_ms, ARGV[c + 1], ARGV[c + 2], ARGV[c + 5]) end
local known = state ~= 'unknown'

local admitted, decisions = true, {}
for i = 1, limits do
  local kind, shadow, cost, a, b, carried = charge_at(6 + CHARGE * (i - 1))
  local decision = decide[kind](KEYS[i], on_buckets_clock[kind] and bucket_now or now, cost, a, b, carried)
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
  if charged and ARGV[c + 5] ~= 'copy' then
    state, payload =
      claim(claim_key, now_ms, ARGV[c + 1], ARGV[c + 2], tonumber(ARGV[c + 3]), tonumber(ARGV[c + 4]))
  end
  answer[#answer + 1] = state
  answer[#answer + 1] = payload
end
if with_copy and admitted then
  local at, key = c + (with_claim and 5 or 0), limits + (with_claim and 2 or 1)
  local found = look_up(KEYS[key], KEYS[key + 1], now, ARGV[at + 1], ARGV[at + 2], tonumber(ARGV[at + 3]),
    tonumber(ARGV[at + 4]))
  for i = 1, #found do answer[#answer + 1] = found[i] end
end
if with_claim or with_copy then answer[#answer + 1] = ARGV[c + 2] end
return answer
