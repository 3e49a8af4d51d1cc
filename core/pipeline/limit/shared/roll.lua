-- A roll call: whether the data of a part of the scopes is whole, before the scripts that use it. The last of KEYS is the
-- mark of the part: a hash of e, which names the data; until, by when replicas have to come that are called, as long as some
-- have not; m:<replica>, 1 if it came; s:<key>, for each scope whose counts were made anew; late, if some did not come.
--
-- A mark that is missing was lost, and with it the counts. Until all who may know of them have told what they know, nobody
-- gets anything: so what was let pass before counts, to the last request.
local mark = KEYS[#KEYS]

local function close(late)
  local e = redis.call('HGET', mark, 'e')
  redis.call('DEL', mark)
  redis.call('HSET', mark, 'e', e)
  if late then redis.call('HSET', mark, 'late', 1) end
end

-- Whether the counts are whole, and are those that the asker knows.
local function whole(now, epoch)
  local f = redis.call('HMGET', mark, 'e', 'until')
  if f[1] ~= epoch then return false end
  if f[2] then
    if now < tonumber(f[2]) then return false end
    close(true)
  end
  return true
end

-- Makes the counts of a scope anew for the first who tells them in a roll call.
local function anew(epoch)
  local f = redis.call('HMGET', mark, 'e', 'until')
  if f[1] == epoch and f[2] and redis.call('HSETNX', mark, 's:' .. KEYS[3], 1) == 1 then
    redis.call('DEL', KEYS[1], KEYS[2], KEYS[3], KEYS[4])
  end
end
