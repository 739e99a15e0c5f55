-- Counts checks against their quotas, one after the other.
--
-- KEYS     the counter of each check, all in one slot; a key may come again
-- ARGV[1]  a record for each check: <B I4 I4
--            quota     its place in ARGV[2], from 1
--            cost      what is counted; 0 counts nothing and tells what there is
--            want      up to how much is counted while a quarter of what is left
--                      suffices for it; at least cost
-- ARGV[2]  the quotas: <B d d d
--            kind      1 sliding window, 2 fixed window, 3 token bucket
--            capacity  what passes at once, below 2^32
--            period    the window, or the time in which a bucket regains one,
--                      in nanoseconds up to 2^52; so is capacity times the
--                      period of a bucket
--            nanos     0
--          A kind of 16 more gives the cost back to the window of that period
--          that began at capacity seconds and nanos, if it is still counted.
-- ARGV[3]  instants for the checks: <d d, seconds and nanoseconds. Without it,
--          the time is this server's.
--
-- Answers with the time, <d d, what was counted for each check, <I4, and the state
-- of each counter after it. That is also what is stored: <B d d I4 I4 I4, its kind
-- and period, when the window began or the bucket is full in seconds and
-- nanoseconds, and the counts of the window and the one before.
--
-- All numbers are integers that are exact in 53 bits, so the arithmetic is that
-- of the limiter in memory. Times are pairs of seconds and nanoseconds, for
-- together they are larger.
local SLIDING, BUCKET, GIFT = 1, 3, 16
local SECOND, EXACT = 1000000000, 4503599627370496
local floor, pack, read, call = math.floor, struct.pack, struct.unpack, redis.call

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

-- forward returns a counter at an instant: its time, its counts, and how far into
-- the window it is or what the bucket lacks. Time stands still while a clock that
-- was set back catches up, for a window at most; then a new window has the counts.
local function forward(kind, period, at, nanos, cur, prev, s, n)
  local passed = (s - at) * SECOND + n - nanos
  if kind == BUCKET then
    if passed < 0 then return at, nanos, 0, 0, -passed end
    return s, n, 0, 0, 0
  elseif passed >= period then
    if passed >= 2 * period or kind ~= SLIDING then cur = 0 end
    cur, prev = 0, cur
  elseif passed >= 0 then
    return at, nanos, cur, prev, passed
  elseif passed >= -period then
    return at, nanos, cur, prev, 0
  end
  local into = position(s, n, period)
  at, nanos = before(s, n, into)
  return at, nanos, cur, prev, into
end

-- used returns how much of its quota a counter says is used, rounded up.
local function used(kind, period, cur, prev, into)
  if kind == BUCKET then return floor((into + period - 1) / period) end
  local old, rest = muldiv(period - into, prev, period)
  if rest then old = old + 1 end
  return cur + old
end

-- take counts up to want against a quota, and returns how much, the state, whether
-- that is to be stored, and for how long: without that, the key has the right time
-- to live.
-- What was used under another quota is used.
local function take(state, kind, capacity, period, cost, want, s, n)
  local at, nanos, cur, prev, into = s, n, 0, 0, 0
  local dirty = false
  local was, length, began, beganNanos
  if state then
    was, length, at, nanos, cur, prev = read('<BddI4I4I4', state)
    began, beganNanos = at, nanos
    at, nanos, cur, prev, into = forward(was, length, at, nanos, cur, prev, s, n)
  end
  if was ~= kind or length ~= period then
    if was then
      dirty = cost > 0
      cur = used(was, length, cur, prev, into)
      if cur > capacity then cur = capacity end
    end
    prev = 0
    if kind == BUCKET then
      cur, into = 0, cur * period
    else
      into = position(s, n, period)
      at, nanos = before(s, n, into)
    end
  end
  local left
  if kind == BUCKET then
    if into > capacity * period then into = capacity * period end
    left = floor((capacity * period - into) / period)
  elseif prev == 0 then
    left = capacity - cur
  else
    left = capacity - cur - muldiv(period - into, prev, period)
  end
  local granted = 0
  if cost > 0 and cost <= left then
    granted, dirty = cost, true
    if want > cost then
      granted = floor(left / 4)
      if granted > want then granted = want end
      if granted < cost then granted = cost end
    end
    cur = cur + granted
  end
  local lifetime
  if kind == BUCKET then
    into, cur = into + granted * period, 0
    at, nanos = before(s, n, -into)
    lifetime = into
  elseif was ~= kind or length ~= period or at ~= began or nanos ~= beganNanos then
    lifetime = 2 * period - into
  end
  return granted, pack('<BddI4I4I4', kind, period, at, nanos, cur, prev), dirty, lifetime
end

-- giveback forgets what was counted in a window, and returns like take.
local function giveback(state, kind, period, amount, start, startnanos)
  if state then
    local was, length, at, nanos, cur, prev = read('<BddI4I4I4', state)
    if was == kind and length == period and at == start and nanos == startnanos and amount <= cur then
      return amount, pack('<BddI4I4I4', kind, period, at, nanos, cur - amount, prev), true
    end
  end
  return 0, pack('<BddI4I4I4', 0, 0, 0, 0, 0, 0), false
end

local now = call('TIME')
local s, n = tonumber(now[1]), now[2] * 1000
local quotas = {}
for i = 1, #ARGV[2], 25 do
  quotas[#quotas + 1] = {read('<Bddd', ARGV[2], i)}
end
local stored = call('MGET', unpack(KEYS))
local head, latest, lifetimes, granted, states = pack('<dd', s, n), {}, {}, {}, {}
for i, key in ipairs(KEYS) do
  local index, cost, want = read('<BI4I4', ARGV[1], i * 9 - 8)
  local quota = quotas[index]
  local state = latest[key] or stored[i]
  local dirty, lifetime
  if quota[1] > GIFT then
    granted[i], state, dirty, lifetime = giveback(state, quota[1] - GIFT, quota[3], cost, quota[2], quota[4])
  else
    if ARGV[3] then s, n = read('<dd', ARGV[3], i * 16 - 15) end
    granted[i], state, dirty, lifetime = take(state, quota[1], quota[2], quota[3], cost, want, s, n)
  end
  states[i] = state
  if dirty then
    latest[key] = state
    if lifetime then lifetimes[key] = lifetime end
  end
end
for key, state in pairs(latest) do
  local lifetime = lifetimes[key]
  if lifetime then
    call('SET', key, state, 'PX', floor(lifetime / 1000000) + 1)
  else
    call('SET', key, state, 'KEEPTTL')
  end
end
return head .. pack('<' .. string.rep('I4', #granted), unpack(granted)) .. table.concat(states)
