-- What replicas tell of a scope's money, before the script that uses it. KEYS: minute, open, money, held.
--
-- The hash "money" has s, what was spent in this period by all; u:<birth>, for each process that spends the highest total
-- it has told, its last settlement, how often money had been given back when it came, and when; h, what is held; l:<birth>,
-- what a process held when it came; w, when a counted period began; v, the change that ended the last period; p, when this
-- one ends; c, when it was made; e, the most that a process which came knew all to have spent before; g, what these had not told
-- by then and what was spent since. For a while after c no less counts than e and g: the first to come may not have read of
-- its database what others wrote. The sorted set "held" has each hold with its amount, by when it is forgotten.
--
-- A process tells the sum of all it ever settled. So it does not matter whether a message is lost, late or repeated: what
-- is more than the highest sum seen is added. A process that is not known brings what no database has yet; a scope that is
-- not known is what the first to ask has from its database.
local lease, keep, doubt = 600000, 3600000, 30000

local function exact(n) return string.format('%.17g', n) end

local function drop(member, amount)
  if redis.call('ZREM', KEYS[4], member .. ' ' .. amount) == 0 then return false end
  if redis.call('ZCARD', KEYS[4]) == 0 then redis.call('HDEL', KEYS[3], 'h')
  else redis.call('HINCRBYFLOAT', KEYS[3], 'h', '-' .. amount) end
  return true
end

local function hold(member, amount, now)
  if tonumber(amount) <= 0 then return end
  if redis.call('ZADD', KEYS[4], 'NX', now + lease, member .. ' ' .. amount) == 1 then
    redis.call('HINCRBYFLOAT', KEYS[3], 'h', amount)
  end
  redis.call('PEXPIRE', KEYS[4], keep)
end

-- Sets what a process holds without naming the requests.
local function lump(birth, amount, now)
  local field = 'l:' .. birth
  local old = redis.call('HGET', KEYS[3], field)
  if old then
    drop('*' .. birth, old)
    redis.call('HDEL', KEYS[3], field)
  end
  if amount > 1e-12 then
    local text = exact(amount)
    redis.call('HSET', KEYS[3], field, text)
    hold('*' .. birth, text, now)
  end
end

-- What is held at a moment.
local function holds(now)
  local gone = redis.call('ZRANGEBYSCORE', KEYS[4], '-inf', now)
  for i = 1, #gone do
    local member, amount = string.match(gone[i], '^(%S+) (%S+)$')
    drop(member, amount)
    if string.sub(member, 1, 1) == '*' then redis.call('HDEL', KEYS[3], 'l:' .. string.sub(member, 2)) end
  end
  if redis.call('ZCARD', KEYS[4]) == 0 then return 0 end
  return tonumber(redis.call('HGET', KEYS[3], 'h') or 0)
end

local function each(what)
  local all = redis.call('HGETALL', KEYS[3])
  for i = 1, #all, 2 do
    if string.sub(all[i], 1, 2) == 'u:' then what(all[i], all[i + 1]) end
  end
end

-- Takes note of what a process tells in ARGV from i on: birth, total, unsaved, base, floor, held, loose, gave, window in ms,
-- number of the last change it knows, number of a change that ended the period (0 none), length of the period in ms, its
-- end in ms, what all had spent when it was last told, v of then, and what it spent itself since. What is known of a counted period
-- counts in that one only: the one that began when w says. number is that of a settlement, 0 for none. back says that the process had counted alone. Returns what is
-- spent, then what is known of the process, its last settlement before and how often it had given back when it came, and
-- whether it was not known before, v, what is spent without its total, and w.
local function learn(now, i, number, mode)
  local birth, field = ARGV[i], 'u:' .. ARGV[i]
  local total, unsaved, base, floor = tonumber(ARGV[i + 1]), tonumber(ARGV[i + 2]), tonumber(ARGV[i + 3]), tonumber(ARGV[i + 4])
  local held, loose, gave, window = tonumber(ARGV[i + 5]), tonumber(ARGV[i + 6]), tonumber(ARGV[i + 7]), tonumber(ARGV[i + 8])
  local seq, reset, period, ends = tonumber(ARGV[i + 9]), tonumber(ARGV[i + 10]), tonumber(ARGV[i + 11]), tonumber(ARGV[i + 12])
  local seen, when, untold = tonumber(ARGV[i + 13]), tonumber(ARGV[i + 14]), tonumber(ARGV[i + 15])
  local f = redis.call('HMGET', KEYS[3], 's', 'w', 'v', 'p', field, 'e', 'g', 'c')
  local s, w, v, p, known = tonumber(f[1]), tonumber(f[2]), tonumber(f[3]) or 0, tonumber(f[4]), f[5]
  local e, g, c = tonumber(f[6]) or 0, tonumber(f[7]) or 0, tonumber(f[8]) or now
  if not s then
    redis.call('DEL', KEYS[3], KEYS[4])
    s, w, v, p, known, e, g, c = base, nil, math.max(0, when), nil, false, 0, 0, now
    if window > 0 then w = window end
  end
  local top, last, came
  if known then
    top, last, came = string.match(known, '^(%S+) (%d+) (%d+)')
    last, came = tonumber(last), tonumber(came)
  end
  if reset > v or when > v or not known and p and ends > p and base + unsaved < s then
    -- The period ended: everybody brings anew what no database has, which counts in the new one.
    each(function(name, value) redis.call('HSET', KEYS[3], name, (string.gsub(value, '^%S+', '-'))) end)
    if top then top = '-' end
    s, v, e, g = base, math.max(v, reset, when), 0, 0
  end
  if period > 0 and w and now - w >= period then s, w, e, g = 0, nil, 0, 0 end
  if period > 0 and window > 0 and now - window < period and w and window < w then w = window end
  local same = period == 0 or window > 0 and w == window
  -- Who has not heard of the last period's end may tell what a database already had in that one.
  local stale, apart = seq < v, 0
  if top and top ~= '-' then
    local more = math.max(0, total - tonumber(top))
    s, g = s + more, g + more
    top = math.max(total, tonumber(top))
    if mode == '2' then
      lump(birth, held, now)
      came = gave
    elseif mode == '1' and number > last then
      lump(birth, loose, now)
      came = gave
    end
  elseif stale then
    apart = unsaved
  else
    if not top then
      lump(birth, held, now)
      last, came = 0, gave
      each(function(name, value)
        local seen = tonumber(string.match(value, '(%d+)$'))
        if seen * keep < now - 24 * keep then redis.call('HDEL', KEYS[3], name) end
      end)
    end
    s, top = s + unsaved, total
    if same and when == v then e, g = math.max(e, seen), g + untold end
  end
  if same and not stale and floor > 0 and floor + unsaved > s then s = floor + unsaved end
  if period > 0 and not w and s > 0 then
    w = now
    if window > 0 then w = window end
  end
  redis.call('HSET', KEYS[3], 's', exact(s), 'v', v, 'e', exact(e), 'g', exact(g), 'c', c)
  if w then redis.call('HSET', KEYS[3], 'w', w) else redis.call('HDEL', KEYS[3], 'w') end
  if ends > (p or 0) then redis.call('HSET', KEYS[3], 'p', ends) end
  if top and top ~= '-' then
    redis.call('HSET', KEYS[3], field, exact(top) .. ' ' .. math.max(last, number) .. ' ' .. came .. ' ' .. math.floor(now / keep))
  end
  redis.call('PEXPIRE', KEYS[3], keep)
  local all = s
  if now < c + doubt and e > 0 then all = math.max(s, e + g) end
  return all + apart, last, came, v, all - (tonumber(top) or total), w or 0
end

