-- Counts checks against their quotas, one after the other.
--
-- KEYS     the counter of each check, all in one slot; a key may come again
-- ARGV[1]  a record for each check: <B d d d d
--            kind      1 sliding window, 2 fixed window, 3 token bucket
--            capacity  what passes at once, below 2^32
--            period    the window, or the time in which a bucket regains one,
--                      in nanoseconds up to 2^52; so is capacity times the
--                      period of a bucket
--            cost      what is counted; 0 counts nothing and tells what is left;
--                      less gives back to the window that began at capacity
--                      seconds and want nanoseconds, if it is still counted
--            want      up to how much is counted while a quarter of what is left
--                      suffices for it; at least cost
-- ARGV[2]  instants for the checks: <d d, seconds and nanoseconds. Without it,
--          the time is this server's.
--
-- Answers with a record for each check: <I4 I4 I4 d d I4
--            granted   what was counted; 0 if refused
--            cur, prev what is counted in the window and the one before
--            into      how far into the window it is; what a bucket lacks, as time
--            start     when the window began: seconds and nanoseconds
--
-- All numbers are integers that are exact in 53 bits, so the arithmetic is that
-- of the limiter in memory. Times are pairs of seconds and nanoseconds, for
-- together they are larger.
local SLIDING, BUCKET = 1, 3
local SECOND, EXACT = 1000000000, 4503599627370496
local RECORD, STATE, ANSWER, INSTANT = '<Bdddd', '<BddI4I4I4', '<I4I4I4ddI4', '<dd'
local floor, pack, read = math.floor, struct.pack, struct.unpack

-- muldiv returns a*b/c rounded down, and whether there is a remainder, for a up
-- to c up to 2^52, and b below 2^32.
local function muldiv(a, b, c)
  local product = a * b
  if product < EXACT then
    local q = floor(product / c)
    return q, q * c < product
  end
  local q, r, bit = 0, 0, 2147483648
  while bit >= 1 do
    q, r = q * 2, r * 2
    if r >= c then q, r = q + 1, r - c end
    if b >= bit then
      b, r = b - bit, r + a
      if r >= c then q, r = q + 1, r - c end
    end
    bit = bit / 2
  end
  return q, r > 0
end

-- position returns how far an instant is into its window.
local function position(s, n, period)
  if period % 1000 == 0 then
    local micros = s * 1000000 + floor(n / 1000)
    return micros % (period / 1000) * 1000 + n % 1000
  end
  local r, second, bit = 0, SECOND % period, 8589934592
  while bit >= 1 do
    r = r * 2
    if r >= period then r = r - period end
    if s >= bit then
      s, r = s - bit, r + second
      if r >= period then r = r - period end
    end
    bit = bit / 2
  end
  r = r + n % period
  if r >= period then r = r - period end
  return r
end

-- before returns the instant d nanoseconds before another; d may be negative.
local function before(s, n, d)
  n = n - d
  local seconds = floor(n / SECOND)
  return s + seconds, n - seconds * SECOND
end

-- begin makes c a counter of the window around an instant.
local function begin(c, s, n)
  c.into = position(s, n, c.period)
  c.s, c.n = before(s, n, c.into)
end

-- forward moves c on to an instant. Time stands still while a clock that was set
-- back catches up, for a window at most; then the counts begin a new window.
local function forward(c, s, n)
  local passed = (s - c.s) * SECOND + n - c.n
  if c.kind == BUCKET then
    c.into = 0
    if passed < 0 then c.into = -passed end
  elseif passed < -c.period then
    begin(c, s, n)
  elseif passed < c.period then
    c.into = passed
    if passed < 0 then c.into = 0 end
  else
    if passed >= 2 * c.period or c.kind ~= SLIDING then c.cur = 0 end
    c.prev, c.cur = c.cur, 0
    begin(c, s, n)
  end
end

-- weighted returns what the window before still counts for.
local function weighted(c)
  if c.prev == 0 then return 0, false end
  return muldiv(c.period - c.into, c.prev, c.period)
end

-- adopt makes c a counter of a quota at an instant. What was used under another
-- quota is used.
local function adopt(c, kind, capacity, period, cost, s, n)
  if c.kind == kind and c.period == period then
    forward(c, s, n)
  else
    local used = 0
    if c.kind then
      forward(c, s, n)
      c.dirty = cost > 0
      if c.kind == BUCKET then
        used = floor((c.into + c.period - 1) / c.period)
      else
        local old, rest = weighted(c)
        used = c.cur + old
        if rest then used = used + 1 end
      end
    end
    if used > capacity then used = capacity end
    c.kind, c.period, c.cur, c.prev = kind, period, used, 0
    if kind == BUCKET then
      c.into, c.cur = used * period, 0
      c.s, c.n = before(s, n, -c.into)
    else
      begin(c, s, n)
    end
  end
  if kind == BUCKET and c.into > capacity * period then c.into = capacity * period end
end

-- left returns what of the quota is not in use.
local function left(c, capacity)
  if c.kind == BUCKET then
    return floor((capacity * c.period - c.into) / c.period)
  end
  return capacity - c.cur - weighted(c)
end

-- count counts up to want, and returns how much that was.
local function count(c, capacity, cost, want, s, n)
  local room = left(c, capacity)
  if cost == 0 or cost > room then return 0 end
  local granted = floor(room / 4)
  if granted > want then granted = want end
  if granted < cost then granted = cost end
  if c.kind == BUCKET then
    c.into = c.into + granted * c.period
    c.s, c.n = before(s, n, -c.into)
  else
    c.cur = c.cur + granted
  end
  c.dirty = true
  return granted
end

-- giveback forgets what was counted in the window that began at s and n.
local function giveback(c, kind, period, amount, s, n)
  if c.kind == kind and c.period == period and c.s == s and c.n == n then
    c.cur = c.cur - amount
    if c.cur < 0 then c.cur = 0 end
    c.dirty = true
  end
end

-- lifetime returns after how many milliseconds c tells no more than a new
-- counter would.
local function lifetime(c)
  local nanos = c.into
  if c.kind ~= BUCKET then nanos = 2 * c.period - c.into end
  return floor(nanos / 1000000) + 1
end

local now = redis.call('TIME')
local s, n = tonumber(now[1]), now[2] * 1000
local stored = redis.call('MGET', unpack(KEYS))
local counters, answers, at, instant = {}, {}, 1, 1
for i, key in ipairs(KEYS) do
  local c = counters[key]
  if not c then
    c = {cur = 0, prev = 0}
    if stored[i] then
      c.kind, c.period, c.s, c.n, c.cur, c.prev = read(STATE, stored[i])
    end
    counters[key] = c
  end
  local kind, capacity, period, cost, want
  kind, capacity, period, cost, want, at = read(RECORD, ARGV[1], at)
  if ARGV[2] then
    s, n, instant = read(INSTANT, ARGV[2], instant)
  end
  local granted = 0
  if cost < 0 then
    giveback(c, kind, period, -cost, capacity, want)
    c.into = c.into or 0
  else
    adopt(c, kind, capacity, period, cost, s, n)
    granted = count(c, capacity, cost, want, s, n)
  end
  answers[i] = pack(ANSWER, granted, c.cur, c.prev, c.into, c.s or 0, c.n or 0)
end
for key, c in pairs(counters) do
  if c.dirty then
    redis.call('SET', key, pack(STATE, c.kind, c.period, c.s, c.n, c.cur, c.prev), 'PX', lifetime(c))
  end
end
return table.concat(answers)
