-- Reads on in the log of what has ended, and sees to what the store says of itself.
--
-- KEYS     the log, its home, how long it is kept, and whether it is young
-- ARGV[1]  the id that was read last, or 0
-- ARGV[2]  how many entries to read
-- ARGV[3]  for how long the reader needs entries, and at most anybody does, in ms
-- ARGV[4]
-- ARGV[5]  how long a store without memory counts as young, in ms
-- ARGV[6]  since when the reader knows all that there is to know, or -1
-- ARGV[7]  how much of ARGV[3] is a margin
-- ARGV[8]  how long the text of an entry may be, in bytes
--
-- Answers with the time in ms, for how long entries are kept, whether the id that
-- was read last is still there, whether the store is young, since when what it knows
-- is all there is to know, or -1, and then id, text and age of each entry. Text that is none of
-- ours is left out.
--
-- The home names the process that has the log in its memory: one that was started
-- again, or that took over, may not have all of it.
local found = redis.call('TYPE', KEYS[1]).ok
if found ~= 'stream' and found ~= 'none' then
  redis.call('DEL', KEYS[1])
end
local kept = keep(KEYS[1], KEYS[3], ARGV[3], ARGV[4], ARGV[7])
local entries, known = {}, 1
if ARGV[1] == '0' then
  entries = redis.call('XRANGE', KEYS[1], '-', '+', 'COUNT', ARGV[2])
else
  entries = redis.call('XRANGE', KEYS[1], ARGV[1], '+', 'COUNT', ARGV[2] + 1)
  if entries[1] and entries[1][1] == ARGV[1] then
    table.remove(entries, 1)
  else
    entries, known = {}, 0
  end
end

local info = redis.pcall('INFO', 'server')
local run = type(info) == 'string' and string.match(info, 'run_id:(%w+)') or 'unknown'
local home = redis.call('TYPE', KEYS[2]).ok == 'string' and redis.call('GET', KEYS[2]) or ''
local named, said = string.match(home, '^(%w+) (%w+)$')
local since = tonumber(said) or -1
if named ~= run or since == -1 and said ~= 'new' then
  redis.call('SET', KEYS[2], run .. ' new')
  redis.call('SET', KEYS[4], 1, 'PX', ARGV[5])
  since = -1
end
local reader = tonumber(ARGV[6])
if named == run and known == 1 and reader >= 0 and (since == -1 or reader < since) then
  since = reader
  redis.call('SET', KEYS[2], run .. ' ' .. string.format('%.0f', since))
end
local young = redis.call('PTTL', KEYS[4])
if young == -1 or young > tonumber(ARGV[5]) then -- nobody of ours did that
  redis.call('DEL', KEYS[4])
  young = -2
end

local answer = {now(), kept, known, young > 0 and 1 or 0, string.format('%.0f', since)}
local longest = tonumber(ARGV[8])
for _, entry in ipairs(entries) do
  local text, age = '', ''
  for i = 1, #entry[2], 2 do
    local field, value = entry[2][i], entry[2][i + 1]
    if #value <= longest then
      if field == 'e' then text = value elseif field == 'a' then age = value end
    end
  end
  table.insert(answer, entry[1])
  table.insert(answer, text)
  table.insert(answer, age)
end
return answer
