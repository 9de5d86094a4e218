-- The one question, decided at once: every bucket is looked at, and charged only if all admit.
-- A key whose answer is known is answered from it, and charged nothing: a replay costs no more than a refusal.
-- KEYS: one per bucket, then the claim's if there is one (ARGV[2] = 1).
-- ARGV: buckets, claim?, then interval µs, burst, cost, known debt µs per bucket,
--       then fingerprint, attempt, hold ms, lifetime ms, in_redis.
-- Answer: admitted, then allowed, remaining, retry_after µs, debt µs per bucket, then the claim's state and payload.

local buckets, with_claim = tonumber(ARGV[1]), ARGV[2] == '1'
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000000 + tonumber(time[2])
local now_ms, claim_key, c = math.floor(now / 1000), KEYS[buckets + 1], 2 + 4 * buckets

local state, payload = 'unknown', ''
if with_claim then state, payload = recall(claim_key, now_ms, ARGV[c + 1], ARGV[c + 2]) end
local known = state ~= 'unknown'

local admitted, decided = true, {}
for i = 1, buckets do
  local a = 4 * i - 2
  local interval, burst, cost = tonumber(ARGV[a + 1]), tonumber(ARGV[a + 2]), tonumber(ARGV[a + 3])
  local allowed, moved, base, retry_after =
    take(redis.call('GET', KEYS[i]), now, interval, burst, cost, tonumber(ARGV[a + 4]))
  admitted = admitted and allowed
  decided[i] = { allowed, moved, base, retry_after, interval, interval * burst }
end

local charged = admitted and not known
local answer = { (admitted or known) and 1 or 0 }
for i = 1, buckets do
  local allowed, moved, base, retry_after, interval, depth = unpack(decided[i])
  if charged then
    redis.call('SET', KEYS[i], string.format('%.0f', moved), 'PX', math.ceil((moved - now) / 1000) + 1)
  end
  answer[#answer + 1] = allowed and 1 or 0
  local tat = charged and moved or base
  answer[#answer + 1] = tokens(tat, now, interval, depth)
  answer[#answer + 1] = retry_after
  answer[#answer + 1] = tat - now
end

if with_claim then
  if charged and ARGV[c + 5] == '1' then
    state, payload =
      claim(claim_key, now_ms, ARGV[c + 1], ARGV[c + 2], tonumber(ARGV[c + 3]), tonumber(ARGV[c + 4]))
  end
  answer[#answer + 1] = state
  answer[#answer + 1] = payload
end
return answer
