-- Adds entries to the log of what has ended, and lets go of those that outlived all
-- tokens, by this server's time and for whoever needs them longest.
--
-- KEYS     the log, its home, how long it is kept, and whether it is young
-- ARGV[1]  for how long the writer needs entries, and at most anybody does, in ms
-- ARGV[2]
-- ARGV[3]  how much of that is a margin
-- ARGV[4]  how long the store counts as young from now on, in ms, or 0
-- ARGV[5]  text and age of each entry
-- ...
local found = redis.call('TYPE', KEYS[1]).ok
if found ~= 'stream' and found ~= 'none' then
  redis.call('DEL', KEYS[1])
end
local kept = keep(KEYS[1], KEYS[3], ARGV[1], ARGV[2], ARGV[3])
local past = string.format('%.0f', math.max(now() - kept, 0))
local function add(text, age)
  if age == '0' then
    return redis.pcall('XADD', KEYS[1], 'MINID', '~', past, '*', 'e', text)
  end
  return redis.pcall('XADD', KEYS[1], 'MINID', '~', past, '*', 'e', text, 'a', age)
end
if ARGV[4] ~= '0' then
  redis.call('SET', KEYS[4], 1, 'PX', ARGV[4])
end
for i = 5, #ARGV, 2 do
  local id = add(ARGV[i], ARGV[i + 1])
  if type(id) == 'table' and not string.find(id.err, 'last possible ID', 1, true) then
    return id
  end
  -- Ids are times. Where they ran ahead so far that nothing would ever leave it, the
  -- log begins anew, and those who know more tell it.
  if type(id) == 'table' or tonumber(string.match(id, '^%d+')) > now() + kept then
    redis.call('DEL', KEYS[1], KEYS[2])
    id = add(ARGV[i], ARGV[i + 1])
    if type(id) == 'table' then return id end
  end
end
prolong(KEYS[1], kept)
return 1
