-- Asks one scope for room and takes it. KEYS: minute, open, money.
-- ARGV: now in ms, rpm, tpm, parallel, tokens, budget ("" none), cost, request, base, replica, unsaved, period in ms, free
-- Answers {code, wait in ms, requests left, tokens left, what is spent of a budget that refuses in billionths}. Codes are
-- those of llm.Refusal.
local now, rpm, tpm, par = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local tokens, cost = tonumber(ARGV[5]), tonumber(ARGV[7])
local step, steps, lease = 5000, 12, 600000
local money = ARGV[6] ~= ""
local hold = math.floor((now + lease) / 60000)
if money then
  local m = redis.call('HMGET', KEYS[3], 's', 'w', 'u:' .. ARGV[10])
  if not m[1] then
    redis.call('HSET', KEYS[3], 's', ARGV[9])
    m[1] = ARGV[9]
  end
  if not m[3] then
    -- What this replica spent and no database has yet.
    redis.call('HSET', KEYS[3], 'u:' .. ARGV[10], '1')
    m[1] = redis.call('HINCRBYFLOAT', KEYS[3], 's', ARGV[11])
  end
  local period = tonumber(ARGV[12])
  if period > 0 and m[2] and now - tonumber(m[2]) >= period then
    redis.call('HSET', KEYS[3], 's', '0')
    redis.call('HDEL', KEYS[3], 'w')
    m[1] = '0'
  end
  redis.call('PEXPIRE', KEYS[3], 3600000)
  if ARGV[13] ~= '1' then
    local limit = tonumber(ARGV[6])
    limit = limit - limit * 1e-9
    local spent = tonumber(m[1])
    if spent >= limit then return {4, 0, -1, -1, math.floor(spent * 1e9)} end
    local held = 0
    local all = redis.call('HGETALL', KEYS[3])
    for i = 1, #all, 2 do
      local until_minute = string.match(all[i], '^h(%d+)$')
      if until_minute then
        if tonumber(until_minute) * 60000 < now then redis.call('HDEL', KEYS[3], all[i])
        else held = held + tonumber(all[i + 1]) end
      end
    end
    if spent + held >= limit then return {5, 0, -1, -1, math.floor((spent + held) * 1e9)} end
  end
end
if par ~= 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
  if redis.call('ZCARD', KEYS[2]) >= par then return {3, 0, -1, -1, 0} end
end
local left_r, left_t = -1, -1
if rpm ~= 0 or tpm ~= 0 then
  local at = math.floor(now / step)
  local gone = (now % step) / step
  local names = {}
  for i = 0, steps do
    names[#names + 1] = 'r' .. ((at - i) % (steps + 2))
    names[#names + 1] = 't' .. ((at - i) % (steps + 2))
    names[#names + 1] = 'a' .. ((at - i) % (steps + 2))
  end
  names[#names + 1] = 'h'
  local v = redis.call('HMGET', KEYS[1], unpack(names))
  local r, t = {}, {}
  local sum_r, sum_t = 0, 0
  for i = 0, steps do
    local part = 1
    if i == steps then part = 1 - gone end
    r[i], t[i] = 0, 0
    if tonumber(v[i * 3 + 3] or -1) == at - i then
      r[i], t[i] = tonumber(v[i * 3 + 1] or 0), tonumber(v[i * 3 + 2] or 0)
    end
    sum_r, sum_t = sum_r + r[i] * part, sum_t + t[i] * part
  end
  local function wait(list, sum, limit)
    local excess = sum - limit + 1
    for i = steps, 0, -1 do
      local n = list[i]
      local ends = (at - i + steps + 1) * step
      if i == steps then n = n * (1 - gone) end
      if n >= excess then return math.max(1, ends - now) end
      excess = excess - n
    end
    return 60000
  end
  if rpm ~= 0 and math.floor(sum_r) >= rpm then return {1, wait(r, sum_r, rpm), 0, -1, 0} end
  if tpm ~= 0 and math.floor(sum_t) >= tpm then
    local held = tonumber(v[#names] or 0)
    if sum_t - held < tpm then return {6, 0, -1, 0, 0} end
    return {2, wait(t, sum_t, tpm), -1, 0, 0}
  end
  local f = at % (steps + 2)
  if tonumber(v[3] or -1) ~= at then
    redis.call('HSET', KEYS[1], 'a' .. f, at, 'r' .. f, 0, 't' .. f, 0)
  end
  redis.call('HINCRBY', KEYS[1], 'r' .. f, 1)
  if tokens > 0 then
    redis.call('HINCRBY', KEYS[1], 't' .. f, tokens)
    redis.call('HINCRBY', KEYS[1], 'h', tokens)
  end
  redis.call('PEXPIRE', KEYS[1], 75000)
  if rpm > 0 then left_r = math.max(0, rpm - math.floor(sum_r) - 1) end
  if tpm > 0 then left_t = math.max(0, tpm - math.floor(sum_t) - tokens) end
end
if par ~= 0 then
  redis.call('ZADD', KEYS[2], now + lease, ARGV[8])
  redis.call('PEXPIRE', KEYS[2], lease)
end
if money and cost > 0 then redis.call('HINCRBYFLOAT', KEYS[3], 'h' .. hold, ARGV[7]) end
return {0, 0, left_r, left_t, 0}
