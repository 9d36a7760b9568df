"""Lua scripts for changes that depend on the current content of a key; Redis runs each atomically.

Each script has one key, so it works in a cluster. Versions are compared as numbers: microseconds fit into a double,
while Lua compares strings by the server's locale.
"""

from __future__ import annotations

from typing import Final

from jarvisperf.cache.values.envelopes import marks
from jarvisperf.cache.values.envelopes.envelope import GENERATION_OFFSET, MAGIC, VERSION, VERSION_OFFSET

# Layout 1 has no version; such a value counts as older than any other.
_START: Final = f"{MAGIC.decode()}\\{VERSION}"

_HEAD: Final = f"""
local head = redis.pcall('GETRANGE', KEYS[1], 0, {max(VERSION_OFFSET + 7, 27)})
if type(head) ~= 'string' then head = '' end
local is_mark = string.sub(head, 1, 3) == '{marks.MAGIC.decode()}'
local is_value = head ~= '' and not is_mark
local is_lease = string.sub(head, 1, 4) == '{marks.MAGIC.decode()}L'
local at = 0
if is_mark then at = 4
elseif string.sub(head, 1, 4) == '{_START}' then at = {VERSION_OFFSET} end
local held = string.rep('\\0', 8)
if at > 0 and #head >= at + 8 then held = string.sub(head, at + 1, at + 8) end
local function number(text)
  local sum = 0
  for i = 1, 8 do sum = sum * 256 + string.byte(text, i) end
  return sum
end
local function keep(blob, px)
  if px == '' then redis.call('SET', KEYS[1], blob) else redis.call('SET', KEYS[1], blob, 'PX', px) end
end
"""

ANY, OLDER, OLDER_PRESENT = b"", b"1", b"2"
"""What `BURY` replaces: any content; older content or none, but not a lease granted after this very deletion; older
content only, so that absent keys stay absent."""

# ARGV: tombstone or rejection, its time to live in milliseconds or '', what to replace. Returns whether there was a
# value.
BURY: Final = (
    _HEAD
    + """
if ARGV[3] == '2' and head == '' then return 0 end
if ARGV[3] ~= '' then
  local version = number(string.sub(ARGV[1], 5, 12))
  if number(held) > version or is_lease and number(held) == version then return 0 end
end
keep(ARGV[1], ARGV[2])
return is_value and 1 or 0
"""
).encode()

# ARGV: blob, milliseconds or '', version, channel, message or ''. The fast path for writes. The key may have changed
# while the write was in transit. Returns whether the write was not older than the current content.
PUT: Final = f"""
local head = redis.pcall('GETRANGE', KEYS[1], 0, {VERSION_OFFSET + 7})
local taken = 1
if type(head) == 'string' and #head > 0 then
  local at = 0
  if string.sub(head, 1, 3) == '{marks.MAGIC.decode()}' then at = 5
  elseif string.sub(head, 1, 4) == '{_START}' then at = {VERSION_OFFSET + 1} end
  if at > 0 and #head >= at + 7 then
    local high, low = struct.unpack('>I4I4', head, at)
    local new_high, new_low = struct.unpack('>I4I4', ARGV[3])
    if high > new_high or high == new_high and low > new_low then taken = 0 end
  end
end
if taken == 1 then
  if ARGV[2] == '' then redis.call('SET', KEYS[1], ARGV[1])
  else redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2]) end
end
if ARGV[5] ~= '' then redis.call('PUBLISH', ARGV[4], ARGV[5]) end
return taken
""".encode()

# ARGV: blob, milliseconds or '', version. For replays: returns whether it was newer than the current content.
PUT_NEWER: Final = (
    _HEAD
    + """
if number(held) >= number(ARGV[3]) then return 0 end
keep(ARGV[1], ARGV[2])
return 1
"""
).encode()

# ARGV: token, time to live of the lease in milliseconds, time to live of its mark in milliseconds.
# Returns 1: granted (a retry after a lost reply is granted again); 0: another holder has it; or the version of the
# value, if there is one.
LEASE: Final = (
    _HEAD
    + """
if is_value then return held end
if is_lease and string.sub(head, 13, 28) == ARGV[1] then return 1 end
if is_lease and redis.call('PTTL', KEYS[1]) > tonumber(ARGV[3]) - tonumber(ARGV[2]) then return 0 end
redis.call('SET', KEYS[1], '"""
    + marks.MAGIC.decode()
    + """L' .. held .. ARGV[1], 'PX', ARGV[3])
return 1
"""
).encode()

# ARGV: token, time to live of the mark in milliseconds. Renews a lease; returns whether the key still held it.
RENEW: Final = (
    _HEAD
    + """
if not is_lease or string.sub(head, 13, 28) ~= ARGV[1] then return 0 end
redis.call('PEXPIRE', KEYS[1], ARGV[2])
return 1
"""
).encode()

# ARGV: token, time to live in milliseconds. The lease for replacing a value, and its renewal; returns 1 and 0 as above.
REFRESH: Final = b"""
local held = redis.pcall('GET', KEYS[1])
if type(held) == 'string' and held ~= ARGV[1] then return 0 end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return 1
"""

# ARGV: token, expected version, blob, milliseconds or ''. Returns whether the key still held the lease of this token
# or, without a token, the value of the expected version.
FILL: Final = (
    _HEAD
    + """
if ARGV[1] ~= '' then
  if not is_lease or string.sub(head, 13, 28) ~= ARGV[1] then return 0 end
elseif not is_value or held ~= ARGV[2] then
  return 0
end
keep(ARGV[3], ARGV[4])
return 1
"""
).encode()

# ARGV: a generation. Removes a value of an older one, and anything else that is neither a value nor a mark.
REMOVE_OLDER: Final = f"""
local head = redis.pcall('GETRANGE', KEYS[1], 0, {GENERATION_OFFSET + 7})
if type(head) == 'string' then
  if string.sub(head, 1, 3) == '{marks.MAGIC.decode()}' then return 0 end
  if string.sub(head, 1, 4) == '{_START}' and #head == {GENERATION_OFFSET + 8} then
    local high, low = struct.unpack('>I4I4', head, {GENERATION_OFFSET + 1})
    if high * 4294967296 + low >= tonumber(ARGV[1]) then return 0 end
  end
end
return redis.call('UNLINK', KEYS[1])
""".encode()

IS_VALUE: Final = (_HEAD + "return is_value and 1 or 0").encode()

# ARGV: token, time to live of a tombstone in milliseconds.
# Releases a lease whose holder failed and restores the tombstone that it replaced.
RELEASE: Final = (
    _HEAD
    + f"""
if not is_lease or string.sub(head, 13, 28) ~= ARGV[1] then return 0 end
if number(held) == 0 then redis.call('UNLINK', KEYS[1]) else
  redis.call('SET', KEYS[1], '{marks.MAGIC.decode()}T' .. held .. string.rep('\\0', 16), 'PX', ARGV[2])
end
return 1
"""
).encode()

# The keys of a tag, scored by their expiry in milliseconds. ARGV: member, score, now, milliseconds or ''.
TAG: Final = b"""
if type(redis.pcall('ZADD', KEYS[1], ARGV[2], ARGV[1])) ~= 'number' then
  redis.call('UNLINK', KEYS[1])
  redis.call('ZADD', KEYS[1], ARGV[2], ARGV[1])
end
redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[3])
local left = redis.call('PTTL', KEYS[1])
if ARGV[4] == '' then
  redis.call('PERSIST', KEYS[1])
elseif left == -1 and redis.call('ZCARD', KEYS[1]) > 1 then
  return 0
elseif left < tonumber(ARGV[4]) then
  redis.call('PEXPIRE', KEYS[1], ARGV[4])
end
return 1
"""

# ARGV: least number. Returns the number that the key holds, raised to at least this; other content is replaced. The
# generation of the namespace never decreases, even if the server restarts empty.
RAISE: Final = b"""
local found = redis.pcall('GET', KEYS[1])
local held = type(found) == 'string' and tonumber(found)
if found == false then held = 0 end
if not held or held < tonumber(ARGV[1]) then
  redis.call('SET', KEYS[1], ARGV[1])
  held = tonumber(ARGV[1])
end
return held
"""
