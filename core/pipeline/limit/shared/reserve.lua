-- Asks one scope for room and takes it. KEYS: minute, open, money, held, and the minute of the scope that it has a part of.
-- ARGV: now in ms, rpm, tpm, parallel, tokens, budget ("" none), cost, request, 1 if a spent budget does not refuse, the share
-- of rpm and tpm of that other scope which is to be used before those of this one hold ("" none), these rpm and tpm, what the
-- process tells of the minute, what it tells of the scope's money if it has a budget, and last which data it told all to.
-- Answers {code, wait in ms, requests left, tokens left, what is spent in billionths, change that ended the last period (-1
-- without a budget), what is spent without the process's total in billionths, when a counted period began in ms (0 it has
-- not)}. Codes are those of llm.Refusal, and 7 if it has to tell all first or others have.
local now, rpm, tpm, par = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local tokens = tonumber(ARGV[5])
if not whole(now, ARGV[#ARGV]) then return {7, 0, -1, -1, 0, -1, 0, 0} end
local money, billionths, change, others, begun = ARGV[6] ~= "", 0, -1, 0, 0
if money then
  local spent, _, _, v, rest, w = learn(now, 20, 0, '0')
  billionths, change, others, begun = math.floor(spent * 1e9), v, math.floor(rest * 1e9), w
  if ARGV[9] ~= '1' then
    local limit = tonumber(ARGV[6])
    limit = limit - limit * 1e-9
    if spent >= limit then return {4, 0, -1, -1, billionths, change, others, begun} end
    local held = holds(now)
    if spent + held >= limit then return {5, 0, -1, -1, billionths, change, others, begun} end
  end
end
if par ~= 0 then
  redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', now)
  if redis.call('ZCARD', KEYS[2]) >= par then return {3, 0, -1, -1, billionths, change, others, begun} end
end
local left_r, left_t = -1, -1
if rpm ~= 0 or tpm ~= 0 then
  known(now, 13)
  local at = math.floor(now / step)
  local gone = (now % step) / step
  local function read(key)
    local names = {}
    for i = 0, steps do
      names[#names + 1] = 'r' .. ((at - i) % (steps + 2))
      names[#names + 1] = 't' .. ((at - i) % (steps + 2))
      names[#names + 1] = 'a' .. ((at - i) % (steps + 2))
    end
    names[#names + 1] = 'h'
    local v = redis.call('HMGET', key, unpack(names))
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
    return r, t, sum_r, sum_t, tonumber(v[#names] or 0), tonumber(v[3] or -1) == at
  end
  local r, t, sum_r, sum_t, reserved, current = read(KEYS[1])
  local doubt, fr, ft = least(now)
  sum_r, sum_t = math.max(sum_r, fr), math.max(sum_t, ft)
  local hard = true
  if ARGV[10] ~= '' then
    local _, _, all_r, all_t = read(KEYS[5])
    local most_r, most_t, used = tonumber(ARGV[11]), tonumber(ARGV[12]), 0
    if most_r > 0 then used = math.floor(all_r) / most_r end
    if most_t > 0 then used = math.max(used, math.floor(all_t) / most_t) end
    hard = used >= tonumber(ARGV[10])
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
  if hard and rpm ~= 0 and math.floor(sum_r) >= rpm then return {1, wait(r, sum_r, rpm), 0, -1, billionths, change, others, begun} end
  if hard and tpm ~= 0 and math.floor(sum_t) >= tpm then
    if sum_t - reserved < tpm then return {6, 0, -1, 0, billionths, change, others, begun} end
    return {2, wait(t, sum_t, tpm), -1, 0, billionths, change, others, begun}
  end
  local f = at % (steps + 2)
  if not current then
    redis.call('HSET', KEYS[1], 'a' .. f, at, 'r' .. f, 0, 't' .. f, 0)
  end
  redis.call('HINCRBY', KEYS[1], 'r' .. f, 1)
  if tokens > 0 then
    redis.call('HINCRBY', KEYS[1], 't' .. f, tokens)
    redis.call('HINCRBY', KEYS[1], 'h', tokens)
  end
  redis.call('PEXPIRE', KEYS[1], 75000)
  if doubt then raise(now, 1, tokens) end
  if rpm > 0 then left_r = math.max(0, rpm - math.floor(sum_r) - 1) end
  if tpm > 0 then left_t = math.max(0, tpm - math.floor(sum_t) - tokens) end
end
if par ~= 0 then
  redis.call('ZADD', KEYS[2], now + lease, ARGV[8])
  redis.call('PEXPIRE', KEYS[2], lease)
end
if money then hold(ARGV[8], ARGV[7], now) end
return {0, 0, left_r, left_t, billionths, change, others, begun}
