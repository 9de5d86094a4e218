-- The sliding window: the same as tidegate/limits/sliding_window.py, which defines it.
-- Kept as bytes, in the format of tidegate/stores/redis/packed_window.py: the width of units, the latest part's number,
-- and for each part, the latest first, the tick of its last charge and its units (0 if there was no charge).

local PARTS, TICKS, MOST_PARTS, MOST_IN_PART = 14, 256, 16, 2 ^ 48

local function window_tick(window) return math.ceil(window * 1000 / (PARTS * TICKS)) end

-- List parts by number, the latest first. Clocks that differ may make too many: the oldest are added to a later one.
local function window_listed(parts, latest)
  local listed, used = {}, 0
  if not latest then return listed, used end
  local oldest, early = latest - MOST_PARTS + 1, 0
  for number, part in pairs(parts) do
    if number < oldest then early = early + part[2] end
  end
  if early > 0 then
    local part = parts[oldest] or { oldest * TICKS, 0 }
    parts[oldest] = { part[1], math.min(MOST_IN_PART, part[2] + early) }
  end
  for number = latest, oldest, -1 do
    local part = parts[number]
    if part then
      listed[#listed + 1] = part
      used = used + part[2]
    end
  end
  return listed, used
end

-- Unpack to a width, the latest part's number, and pairs; an empty table if the bytes are malformed.
local function window_unpacked(packed)
  local width, bytes = string.byte(packed), #packed - 7
  if not width or width < 1 or width > 7 or bytes < 1 or bytes % (width + 1) > 0 then return {} end
  return { struct.unpack('>I1I6' .. string.rep('I1I' .. width, bytes / (width + 1)), packed) }
end

-- A charge still counts at the moment exactly one window later.
local function window_forgotten_at(window, last) return last * window_tick(window) + window * 1000 + 1 end

-- The parts that count now, of the stored state and the carried one. If both have a part, the larger number is right.
local function window_seen(window, now, stored, carried)
  local parts, latest = {}, nil
  for _, packed in ipairs({ stored or '', carried }) do
    local fields = window_unpacked(packed)
    local number = fields[2]
    for i = 3, #fields - 2, 2 do
      local last, units = number * TICKS + fields[i], fields[i + 1]
      if units > 0 and window_forgotten_at(window, last) > now then
        local part = parts[number]
        if part then
          parts[number] = { math.max(part[1], last), math.max(part[2], units) }
        else
          parts[number] = { last, units }
        end
        latest = math.max(latest or number, number)
      end
      number = number - 1
    end
  end
  return window_listed(parts, latest)
end

-- Add units now. A part that another clock began stays the latest, even if this clock is behind it.
local function window_charged(window, now, listed, used, units)
  if units == 0 then return listed, used end
  local last = math.ceil(now / window_tick(window))
  if listed[1] then last = math.max(last, listed[1][1]) end
  local latest, parts = math.floor(last / TICKS), {}
  for _, part in ipairs(listed) do parts[math.floor(part[1] / TICKS)] = part end
  local held = parts[latest] and parts[latest][2] or 0
  parts[latest] = { last, math.min(MOST_IN_PART, held + units) }
  return window_listed(parts, latest)
end

local function window_packed(listed)
  if not listed[1] then return '' end
  local latest, most = math.floor(listed[1][1] / TICKS), 0
  for _, part in ipairs(listed) do most = math.max(most, part[2]) end
  local width = 1
  while most >= 256 ^ width do width = width + 1 end
  local fields, number = { width, latest }, latest
  for _, part in ipairs(listed) do
    local own = math.floor(part[1] / TICKS)
    for _ = own + 1, number do fields[#fields + 1], fields[#fields + 2] = 0, 0 end
    fields[#fields + 1], fields[#fields + 2] = part[1] - own * TICKS, part[2]
    number = own - 1
  end
  return struct.pack('>I1I6' .. string.rep('I1I' .. width, (#fields - 2) / 2), unpack(fields))
end

local function window_kept(window, now, listed)
  if not listed[1] then return { '', 1 } end
  return { window_packed(listed), math.ceil((window_forgotten_at(window, listed[1][1]) - now) / 1000) }
end

local function window_retry_after(window, quota, now, cost, listed, used)
  if cost > quota then return -1 end
  for i = #listed, 1, -1 do
    used = used - listed[i][2]
    if used + cost <= quota then return window_forgotten_at(window, listed[i][1]) - now end
  end
  return 1
end

decide.s = function(key, now, cost, window, quota, carried)
  local listed, used = window_seen(window, now, read('GET', key), carried)
  local room = math.max(0, quota - used)
  local allowed = cost <= room
  local stands, after, kept = window_packed(listed), nil, nil
  if allowed then
    after = window_charged(window, now, listed, used, cost)
    kept = window_kept(window, now, after)
  end
  return {
    allowed = allowed, wait = 0, kept = kept, uncharged = { room, stands },
    retry_after = allowed and 0 or window_retry_after(window, quota, now, cost, listed, used),
    charged = { room - cost, kept and kept[1] or stands },
  }
end

correct.s = function(key, now, units, window, _, carried)
  local listed, used = window_seen(window, now, read('GET', key), '')
  if units >= 0 then
    return window_kept(window, now, (window_charged(window, now, listed, used, units)))
  end
  local charged_in = window_unpacked(carried)[2] or (listed[1] and math.floor(listed[1][1] / TICKS))
  local left = {}
  for _, part in ipairs(listed) do
    local units_left = part[2]
    if math.floor(part[1] / TICKS) == charged_in then units_left = math.max(0, units_left + units) end
    if units_left > 0 then left[#left + 1] = { part[1], units_left } end
  end
  return window_kept(window, now, left)
end
