"""Redis' Lua library `struct` for fakeredis, which runs scripts but lacks it.

It knows the formats that Tidegate's scripts use: big-endian doubles (`d`) and unsigned whole numbers (`I1` to `I7`).
"""

from __future__ import annotations

from collections.abc import Sequence

from tidegate.redis_driver.resp import Command

_STRUCT = """
local struct = (function()
  local function items(format)
    return string.gmatch(string.sub(format, 2), '([dI])(%d*)')
  end
  local function whole(number, bytes)
    local packed = {}
    for at = bytes, 1, -1 do
      packed[at] = string.char(number % 256)
      number = math.floor(number / 256)
    end
    return table.concat(packed)
  end
  local function parsed(text)
    local number = 0
    for at = 1, #text do number = number * 256 + string.byte(text, at) end
    return number
  end
  local function double(number)
    if number == 0 then return string.rep(string.char(0), 8) end
    local sign, fraction, exponent = number < 0 and 2048 or 0, math.frexp(math.abs(number))
    local mantissa = (fraction * 2 - 1) * 2 ^ 52
    local high, low = math.floor(mantissa / 2 ^ 48), mantissa % 2 ^ 48
    return whole((sign + exponent + 1022) * 16 + high, 2) .. whole(low, 6)
  end
  local function parsed_double(text)
    local head, low = parsed(string.sub(text, 1, 2)), parsed(string.sub(text, 3))
    local sign, exponent = head >= 32768 and -1 or 1, math.floor(head / 16) % 2048
    local mantissa = (head % 16 * 2 ^ 48 + low) / 2 ^ 52
    if exponent == 2047 then return mantissa == 0 and sign * math.huge or 0 / 0 end
    if exponent == 0 then return sign * mantissa * 2 ^ -1022 end
    return sign * (1 + mantissa) * 2 ^ (exponent - 1023)
  end
  return {
    pack = function(format, ...)
      local packed, given = {}, { ... }
      for kind, bytes in items(format) do
        local number = given[#packed + 1]
        packed[#packed + 1] = kind == 'd' and double(number) or whole(number, tonumber(bytes))
      end
      return table.concat(packed)
    end,
    unpack = function(format, text, from)
      local numbers, at = {}, from or 1
      for kind, bytes in items(format) do
        local length = kind == 'd' and 8 or tonumber(bytes)
        local part = string.sub(text, at, at + length - 1)
        numbers[#numbers + 1] = kind == 'd' and parsed_double(part) or parsed(part)
        at = at + length
      end
      numbers[#numbers + 1] = at
      return unpack(numbers)
    end,
  }
end)()
"""


def with_struct(commands: Sequence[Command]) -> list[Command]:
    """Return commands whose scripts bring the library; by digest fakeredis then knows none, and each is sent whole."""
    return [
        (command[0], f"{_STRUCT}{command[1]!s}", *command[2:]) if command[0] == "EVAL" else command
        for command in commands
    ]
