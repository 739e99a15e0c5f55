-- Counts the instances that have been heard of lately, this one among them.
--
-- KEYS[1]  the instances: <c8 d for each, its id and when it was heard, in seconds
-- ARGV[1]  the id of this one
--
-- Answers with their number.
local LIFETIME, MOST = 15, 1000
local now = tonumber(redis.call('TIME')[1])
local known = redis.call('MGET', KEYS[1])[1] or ''
local kept = {struct.pack('<c8d', ARGV[1], now)}
for i = 1, #known - 15, 16 do
  local id, heard = struct.unpack('<c8d', known, i)
  if id ~= ARGV[1] and heard > now - LIFETIME and heard <= now and #kept < MOST then
    kept[#kept + 1] = struct.pack('<c8d', id, heard)
  end
end
redis.call('SET', KEYS[1], table.concat(kept), 'EX', LIFETIME)
return #kept
