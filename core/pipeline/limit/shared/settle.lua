-- Gives back what a request holds of one scope and counts what it used. KEYS: minute, open, money.
-- ARGV: now in ms, time of the reserve in ms, tokens held, tokens used, request ("" if it took no place), cost held,
-- cost, 1 to undo, 1 if it counted in the minute, 1 if its money is counted
local now, then_ms = tonumber(ARGV[1]), tonumber(ARGV[2])
local held, used = tonumber(ARGV[3]), tonumber(ARGV[4])
local step, steps, lease = 5000, 12, 600000
if ARGV[9] == '1' then
  local at, was = math.floor(now / step), math.floor(then_ms / step)
  local f = was % (steps + 2)
  if redis.call('HGET', KEYS[1], 'a' .. f) == tostring(was) then
    if held > 0 then redis.call('HINCRBY', KEYS[1], 't' .. f, -held) end
    if ARGV[8] == '1' then redis.call('HINCRBY', KEYS[1], 'r' .. f, -1) end
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
    redis.call('PEXPIRE', KEYS[1], 75000)
  end
end
if ARGV[5] ~= '' then redis.call('ZREM', KEYS[2], ARGV[5]) end
if ARGV[10] == '1' then
  local field = 'h' .. math.floor((then_ms + lease) / 60000)
  if tonumber(ARGV[6]) > 0 and redis.call('HEXISTS', KEYS[3], field) == 1 then
    if tonumber(redis.call('HINCRBYFLOAT', KEYS[3], field, '-' .. ARGV[6])) < 1e-12 then redis.call('HDEL', KEYS[3], field) end
  end
  -- Without a sum there is nothing to add to: whoever asks next brings what was spent.
  if tonumber(ARGV[7]) ~= 0 and redis.call('HEXISTS', KEYS[3], 's') == 1 then
    redis.call('HINCRBYFLOAT', KEYS[3], 's', ARGV[7])
    if redis.call('HEXISTS', KEYS[3], 'w') == 0 then redis.call('HSET', KEYS[3], 'w', now) end
  end
end
return 0
