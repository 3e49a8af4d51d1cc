-- Gives back what a request holds of one scope and counts what it used. KEYS: minute, open, money, held.
-- ARGV: now in ms, time of the reserve in ms, tokens held, tokens used, its place among the open requests ("" none), 1 to
-- undo, 1 if it counted in the minute and 2 if only what is known of that is told, number of the settlement, replica, hold of money ("" none), its cost, how often the
-- process had given back money by then (0 if it was not let pass), 1 if the process had counted alone,
-- names of all its places if they are to be known again, the name of the roll call in which it tells all, the data that it told
-- all to, what it tells of the minute, and what it tells of the scope's money if it has a budget. Then it answers {what is spent without the process's
-- total in billionths, change that ended the last period, when a counted period began in ms}. If Redis has other data than that which the process told
-- all to, nothing is noted, and the answer is {0}: it tells all again, and then that which it is told of here is in it.
local now, then_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local held, used, number = tonumber(ARGV[3]), tonumber(ARGV[4]), tonumber(ARGV[8])
-- Settlements of a replica come in order: one that comes again has been counted.
local function again()
  local field = 'n:' .. ARGV[9]
  local n = tonumber(redis.call('HGET', KEYS[1], field))
  if not n then
    local all = redis.call('HGETALL', KEYS[1])
    for i = 1, #all, 2 do
      -- Numbers of replicas that have told nothing since the last day are of no use.
      local seen = string.match(all[i], '^m:(.*)$')
      if seen and tonumber(all[i + 1]) < now - 86400000 then redis.call('HDEL', KEYS[1], all[i], 'n:' .. seen) end
    end
  end
  if n and n >= number then return true end
  redis.call('HSET', KEYS[1], field, number, 'm:' .. ARGV[9], now)
  return false
end
if ARGV[15] ~= '' then anew(ARGV[15])
elseif redis.call('HGET', KEYS[#KEYS], 'e') ~= ARGV[16] then return {0} end
if ARGV[7] == '2' then known(now, 17) end
if ARGV[7] == '1' and known(now, 17) and not again() then
  local at, was = math.floor(now / step), math.floor(then_ms / step)
  local f = was % (steps + 2)
  if redis.call('HGET', KEYS[1], 'a' .. f) == tostring(was) then
    if held > 0 then redis.call('HINCRBY', KEYS[1], 't' .. f, -held) end
    if ARGV[6] == '1' then redis.call('HINCRBY', KEYS[1], 'r' .. f, -1) end
  end
  if held > 0 and redis.call('HEXISTS', KEYS[1], 'h') == 1 then
    if redis.call('HINCRBY', KEYS[1], 'h', -held) < 0 then redis.call('HSET', KEYS[1], 'h', 0) end
  end
  if used > 0 then
    f = at % (steps + 2)
    if redis.call('HGET', KEYS[1], 'a' .. f) ~= tostring(at) then
      redis.call('HSET', KEYS[1], 'a' .. f, at, 'r' .. f, 0, 't' .. f, 0)
    end
    redis.call('HINCRBY', KEYS[1], 't' .. f, used)
  end
  local requests = 0
  if ARGV[6] == '1' then requests = -1 end
  raise(now, requests, used - held)
  redis.call('PEXPIRE', KEYS[1], 75000)
end
if ARGV[5] ~= '' then redis.call('ZREM', KEYS[2], ARGV[5]) end
for place in string.gmatch(ARGV[14], '%S+') do
  redis.call('ZADD', KEYS[2], now + lease, place)
  redis.call('PEXPIRE', KEYS[2], lease)
end
if ARGV[24] then
  local mode = ARGV[13]
  if ARGV[15] ~= '' then mode = '2' end
  local _, last, came, v, others, w = learn(now, 24, number, mode)
  if ARGV[10] ~= '' and not drop(ARGV[10], ARGV[11]) and last and number > last and tonumber(ARGV[12]) > came then
    -- Redis lost the hold, and it came again with what its process held.
    lump(ARGV[24], tonumber(redis.call('HGET', KEYS[3], 'l:' .. ARGV[24]) or 0) - tonumber(ARGV[11]), now)
  end
  return {math.floor(others * 1e9), v, w}
end
return {}
