-- Bounds how much of Redis' memory copies take: all together, and each caller's. A ledger has bytes by the moment (ms)
-- when copies expire, rounded up. So no copy's end has to be noted, and a write costs the same however many copies there
-- are. Copies that Redis has evicted, or that are void, count until they would have expired.
-- KEYS[4] is the ledger of all, a hash. KEYS[5] is a hash with each caller's as a text, 'moment:bytes moment:bytes': one
-- key, because the caller of the old copy is known only here. KEYS[6] is the memory that Redis said it has.

-- A copy's expiry is rounded up to an eighth of its lifetime: a ledger has at most ten entries for one lifetime.
local PARTS = 8
local SHORTEST_MS = 1024
-- A copy's key and fields beside its record.
local OVERHEAD_BYTES = 600
-- Copies take at most this share, whatever the settings are: the rest is for decisions. maxmemory is read so often.
local SHARE, ASKED_EVERY_S = 0.5, 60

local function gone_by(now_ms, lasts_ms)
  local width = SHORTEST_MS
  while width * PARTS < lasts_ms do width = width * 2 end
  return math.ceil((now_ms + lasts_ms) / width) * width
end

-- The bytes of a ledger's live copies; expired entries are deleted.
local function taken(ledger, now_ms)
  local entries, sum = tried('HGETALL', ledger), 0
  if not entries then
    redis.call('DEL', ledger)
    return 0
  end
  for i = 1, #entries, 2 do
    local ends, bytes = number(entries[i]), number(entries[i + 1])
    if ends and bytes and ends > now_ms then
      sum = sum + bytes
    else
      redis.call('HDEL', ledger, entries[i])
    end
  end
  return sum
end

local function enter(ledger, ends, bytes, now_ms)
  local entry = string.format('%.0f', ends)
  local stands = tried('HINCRBY', ledger, entry, bytes)
  if not stands then
    redis.call('DEL', ledger)
  elseif stands <= 0 then
    redis.call('HDEL', ledger, entry)
  end
  local lasts = ends - now_ms
  if redis.call('PTTL', ledger) < lasts then redis.call('PEXPIRE', ledger, string.format('%.0f', lasts)) end
end

-- A caller's live bytes by their ends, and their sum.
local function account_of(payer, now_ms)
  local account, sum = {}, 0
  for moment, count in string.gmatch(fields_of(KEYS[5], payer)[1] or '', '(%d+):(%d+)') do
    local ends, bytes = number(moment), number(count)
    if ends and bytes and ends > now_ms then
      account[ends], sum = (account[ends] or 0) + bytes, sum + bytes
    end
  end
  return account, sum
end

local function has_ended(text, now_ms)
  for moment in string.gmatch(text, '(%d+):%d+') do
    if (number(moment) or 0) > now_ms then return false end
  end
  return true
end

local function enter_account(payer, ends, bytes, now_ms)
  local account, entries = account_of(payer, now_ms), {}
  account[ends] = (account[ends] or 0) + bytes
  for moment, count in pairs(account) do
    if count > 0 then entries[#entries + 1] = string.format('%.0f:%.0f', moment, count) end
  end
  if #entries == 0 then
    redis.call('HDEL', KEYS[5], payer)
  else
    redis.call('HSET', KEYS[5], payer, table.concat(entries, ' '))
    keep_and_sweep(KEYS[5], ends - now_ms, function(text) return has_ended(text, now_ms) end)
  end
end

local function most(bound)
  local memory = number(tried('GET', KEYS[6]))
  if not memory then
    local info = tried('INFO', 'memory')
    memory = type(info) == 'string' and number(string.match(info, 'maxmemory:(%d+)')) or 0
    redis.call('SET', KEYS[6], string.format('%.0f', memory), 'EX', ASKED_EVERY_S)
  end
  return memory > 0 and math.min(bound, memory * SHARE) or bound
end

-- Enter a new copy in place of an old one, if there is room: returns 1, its size and its end. Otherwise returns 2 if
-- its caller has no room left, 3 if all together have none.
local function make_room(payer, of_payer, of_all, old, bytes, lasts_ms, now_ms)
  local size, ends = bytes + OVERHEAD_BYTES, gone_by(now_ms, lasts_ms)
  local was, was_until = number(old.size), number(old.ends)
  local counts = was and was_until and was_until > now_ms
  local freed = counts and was or 0
  local freed_of_payer = counts and old.payer == payer and was or 0
  local _, own = account_of(payer, now_ms)
  if own - freed_of_payer + size > of_payer then return 2 end
  if taken(KEYS[4], now_ms) - freed + size > most(of_all) then return 3 end
  if counts then
    enter(KEYS[4], was_until, -was, now_ms)
    if type(old.payer) == 'string' then enter_account(old.payer, was_until, -was, now_ms) end
  end
  enter(KEYS[4], ends, size, now_ms)
  enter_account(payer, ends, size, now_ms)
  return 1, size, ends
end
