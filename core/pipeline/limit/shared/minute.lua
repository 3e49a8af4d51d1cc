-- What replicas tell of the last minute of a scope, before the scripts that use it. KEYS[1] is the minute.
--
-- The hash "minute" has, for each of the last steps, r, t and a: requests, tokens and the step's number; h, tokens held for
-- requests under way; n:<replica> and m:<replica>, the last settlement of a replica, and when; x:<birth>, for each process
-- that counts here, since when it was seen last, within a minute. A process that is not known brings what it used in the last
-- minute: the data were lost, or it has used nothing. While others are still to come, for a moment after c, no less counts
-- than fr and ft: what the processes that came knew all to have used, and what was used since.
local step, steps, trust = 5000, 12, 5000

-- Forgets processes of which nothing is in the minute.
local function sweep(now)
  local all = redis.call('HGETALL', KEYS[1])
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 2) == 'x:' and tonumber(all[i + 1]) < now - 300000 then redis.call('HDEL', KEYS[1], all[i]) end
  end
end

-- Whether the minute is in doubt, and what counts at least.
local function least(now)
  local v = redis.call('HMGET', KEYS[1], 'c', 'fr', 'ft')
  if not v[1] then return false, 0, 0 end
  local m = redis.call('HMGET', mark, 'until', 'late')
  if (m[1] or m[2]) and now < tonumber(v[1]) + trust then return true, tonumber(v[2] or 0), tonumber(v[3] or 0) end
  redis.call('HDEL', KEYS[1], 'c', 'fr', 'ft')
  return false, 0, 0
end

-- Makes sure that the minute has what the process used. In ARGV from i on: its birth, its steps, tokens held, requests and
-- tokens that all had used, the last settlement that is in these, and the replica. Returns false if it had to be brought.
local function known(now, i)
  local field = 'x:' .. ARGV[i]
  local last = tonumber(redis.call('HGET', KEYS[1], field))
  if last then
    if now - last > 60000 then redis.call('HSET', KEYS[1], field, now) end
    return true
  end
  if redis.call('EXISTS', KEYS[1]) == 1 then
    sweep(now)
  elseif ARGV[i + 1] ~= '' then
    redis.call('HSET', KEYS[1], 'c', now)
  end
  local at = math.floor(now / step)
  for number, r, t in string.gmatch(ARGV[i + 1], '(%d+) (%d+) (%d+)') do
    number = tonumber(number)
    local f = number % (steps + 2)
    local a = tonumber(redis.call('HGET', KEYS[1], 'a' .. f) or -1)
    if number < at - steps or number > at + 1 or a > number then
      -- It has left the minute.
    elseif a == number then
      redis.call('HINCRBY', KEYS[1], 'r' .. f, r)
      redis.call('HINCRBY', KEYS[1], 't' .. f, t)
    else
      redis.call('HSET', KEYS[1], 'a' .. f, number, 'r' .. f, r, 't' .. f, t)
    end
  end
  local doubt, fr, ft = least(now)
  if doubt then
    redis.call('HSET', KEYS[1], 'fr', math.max(fr, tonumber(ARGV[i + 3])), 'ft', math.max(ft, tonumber(ARGV[i + 4])))
  end
  if ARGV[i + 1] ~= '' then
    redis.call('HINCRBY', KEYS[1], 'h', ARGV[i + 2])
    redis.call('HSET', KEYS[1], 'n:' .. ARGV[i + 6], ARGV[i + 5], 'm:' .. ARGV[i + 6], now)
  end
  redis.call('HSET', KEYS[1], field, now)
  redis.call('PEXPIRE', KEYS[1], 75000)
  return false
end

-- Counts what is used in what counts at least, too.
local function raise(now, requests, tokens)
  if least(now) then
    redis.call('HINCRBY', KEYS[1], 'fr', requests)
    redis.call('HINCRBY', KEYS[1], 'ft', tokens)
  end
end

