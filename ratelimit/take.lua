-- Counts checks against their quotas, one after the other.
--
-- KEYS     the counter of each check, all in one slot, where a key may come again;
--          and then, for each check that has a place there, three: the census of
--          its client's network, that of its limit, and the counter that those
--          share who find a census full
-- ARGV[1]  a record for each check: <B I4 I4 I4
--            quota     its place in ARGV[2], from 1
--            cost      what is counted; 0 counts nothing and tells what there is
--            want      up to how much is counted while a quarter of what is left
--                      suffices for it; at least cost
--            place     of the first of its three keys in KEYS, where the key of the
--                      check is one that strangers can name; 0 elsewhere
-- ARGV[2]  the quotas: <B d d d
--            kind      1 sliding window, 2 fixed window, 3 token bucket
--            capacity  what passes at once, below 2^32
--            period    the window, or the time in which a bucket regains one,
--                      in nanoseconds up to 2^52; so is capacity times the
--                      period of a bucket
--            nanos     0
--          A kind of 16 more gives the cost back to the window of that period
--          that began at capacity seconds and nanos, if it is still counted.
-- ARGV[3]  how many keys a census of a network and of a limit admits: <d d
-- ARGV[4]  instants for the checks: <d d, seconds and nanoseconds. Without it,
--          the time is this server's.
--
-- Answers with the time, <d d, what was counted for each check, <I4, and the state
-- of each counter after it. That is also what is stored: <B d d I4 I4 I4, its kind
-- and period, when the window began or the bucket is full in seconds and
-- nanoseconds, and the counts of the window and the one before.
--
-- A census counts the keys that were begun, or gone on with, in this period and in
-- the one before: <d I4 I4, the number of the period and the two counts. The period
-- is the window, or the time in which the bucket fills, after which a key that is
-- not used expires. So there are never more keys than it admits. A bucket has the
-- number of the period it was last used in where a window has its count.
--
-- All numbers are integers that are exact in 53 bits, so the arithmetic is that
-- of the limiter in memory. Times are pairs of seconds and nanoseconds, for
-- together they are larger.
local SLIDING, BUCKET, GIFT = 1, 3, 16
local SECOND, EXACT, SIZE, WORD = 1000000000, 4503599627370496, 29, 4294967296
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

-- take counts up to want against a quota, and returns how much, the state, whether
-- that is to be stored, and for how long: without that, the key has the right time
-- to live. What cannot be the state of the quota is as good as none. Last comes
-- whether the key was not used before in this period, whose number is turn.
local function take(state, kind, capacity, period, cost, want, s, n, turn)
  local at, nanos, cur, prev, into = s, n, 0, 0, 0
  local dirty, last, began, beganNanos = false, 0
  if state and #state == SIZE then
    local was, length
    was, length, began, beganNanos, cur, prev = read('<BddI4I4I4', state)
    if was == kind and length == period and began == began and (kind == BUCKET or cur <= capacity and prev <= capacity) then
      last = cur
      at, nanos, cur, prev, into = forward(kind, period, began, beganNanos, cur, prev, s, n)
    else
      began = nil
    end
  end
  if not began then
    cur, prev = 0, 0
    if kind ~= BUCKET then
      into = position(s, n, period)
      at, nanos = before(s, n, into)
    end
  elseif kind ~= BUCKET then
    -- The clock was set back: from now on the new window has the counts.
    dirty = cost > 0 and (at < began or at == began and nanos < beganNanos)
  end
  local left
  if kind == BUCKET then
    if into > capacity * period then
      into = capacity * period
      dirty = cost > 0
    end
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
  local lifetime, opened
  if kind == BUCKET then
    opened, cur = last ~= turn, turn
    into = into + granted * period
    at, nanos = before(s, n, -into)
    lifetime = into
  elseif at ~= began or nanos ~= beganNanos then
    lifetime, opened = 2 * period - into, true
  end
  return granted, pack('<BddI4I4I4', kind, period, at, nanos, cur, prev), dirty, lifetime, opened
end

-- giveback forgets what was counted in a window, and returns like take.
local function giveback(state, kind, period, amount, start, startnanos)
  if state and #state == SIZE then
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
local admitted = {read('<dd', ARGV[3])}
local checks = #ARGV[1] / 13
local stored = call('MGET', unpack(KEYS, 1, checks))
local head, latest, lifetimes, granted, states = pack('<dd', s, n), {}, {}, {}, {}

-- peruse returns what a key holds that only some checks need.
local function peruse(key)
  local state = latest[key]
  if state == nil then
    state = call('MGET', key)[1] -- which does not mind another type
    latest[key] = state
  end
  return state
end

-- census returns the counts of a census in the period of that number.
local function census(key, turn)
  local state = peruse(key)
  if state and #state == 16 then
    local was, cur, prev = read('<dI4I4', state)
    if was == turn then return cur, prev end
    if was == turn - 1 then return 0, cur end
  end
  return 0, 0
end

-- full reports whether one of the two censuses at a place admits no more keys.
local function full(place, turn)
  for i = 1, 2 do
    local cur, prev = census(KEYS[place + i - 1], turn)
    if cur + prev >= admitted[i] then return true end
  end
  return false
end

local dirtied = {}
for i = 1, checks do
  local key = KEYS[i]
  local index, cost, want, place = read('<BI4I4I4', ARGV[1], i * 13 - 12)
  local quota = quotas[index]
  local kind, period = quota[1], quota[3]
  local state = latest[key] or stored[i]
  local dirty, lifetime, opened
  if kind > GIFT then
    granted[i], state, dirty, lifetime = giveback(state, kind - GIFT, period, cost, quota[2], quota[4])
  else
    if ARGV[4] then s, n = read('<dd', ARGV[4], i * 16 - 15) end
    local turn, length = 0, period
    if place > 0 then
      if kind == BUCKET then length = period * quota[2] end
      turn = floor((s + n / SECOND) / (length / SECOND)) % WORD
      if cost > 0 and not (state and #state == SIZE) and full(place, turn) then
        key, place = KEYS[place + 2], 0
        state = peruse(key)
      end
    end
    granted[i], state, dirty, lifetime, opened = take(state, kind, quota[2], period, cost, want, s, n, turn)
    if place > 0 and dirty and opened then
      for j = place, place + 1 do
        local cur, prev = census(KEYS[j], turn)
        latest[KEYS[j]], dirtied[KEYS[j]], lifetimes[KEYS[j]] = pack('<dI4I4', turn, cur + 1, prev), true, 2 * length
      end
    end
  end
  states[i] = state
  if dirty then
    latest[key], dirtied[key] = state, true
    if lifetime then lifetimes[key] = lifetime end
  end
end
for key in pairs(dirtied) do
  local lifetime = lifetimes[key]
  if lifetime then
    call('SET', key, latest[key], 'PX', floor(lifetime / 1000000) + 1)
  else
    call('SET', key, latest[key], 'KEEPTTL')
  end
end
return head .. pack('<' .. string.rep('I4', #granted), unpack(granted)) .. table.concat(states)
