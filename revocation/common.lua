-- Both scripts begin with this.

-- now is this server's time in ms.
local function now()
  local time = redis.call('TIME')
  return time[1] * 1000 + math.floor(time[2] / 1000)
end

-- prolong keeps the log for that long, or as long as it would be anyway.
local function prolong(log, kept)
  if redis.call('PTTL', log) < kept then
    redis.call('PEXPIRE', log, string.format('%.0f', kept))
  end
end

-- keep is for how long entries are kept, in ms: as long as whoever needs them
-- longest. It is only ever raised, and forgotten once nobody came for so long who
-- needs them that long. What was let go of before it was raised, nobody knows any
-- more: every token that old is stale.
local function keep(log, key, mine, most, margin)
  mine, most = tonumber(mine), tonumber(most)
  local kept = redis.call('TYPE', key).ok == 'string' and tonumber(redis.call('GET', key)) or 0
  local left = redis.call('PTTL', key)
  if not (kept > 0 and kept <= most) or left < 0 or left > kept then
    kept = 0 -- nobody of ours wrote it
  end
  if mine > kept or mine == kept and left < mine / 2 then
    redis.call('SET', key, string.format('%.0f', mine), 'PX', string.format('%.0f', mine))
    if kept > 0 and mine > kept then
      prolong(log, mine)
      local since = string.format('%.0f', now() - kept + tonumber(margin))
      redis.pcall('XADD', log, '*', 'e', '{"k":"everything","e":"stale","t":' .. since .. '}')
    end
    kept = mine
  end
  return kept
end
