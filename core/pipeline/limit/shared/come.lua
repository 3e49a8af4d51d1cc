-- Notes that a replica has told all that it knows, and ends the roll call after the last. KEYS: the mark. ARGV: its name, the
-- replica. Answers 0 if another one has begun.
local f = redis.call('HMGET', mark, 'e', 'until')
if f[1] ~= ARGV[1] then return 0 end
if not f[2] then return 1 end
redis.call('HSET', mark, 'm:' .. ARGV[2], 1)
local all = redis.call('HGETALL', mark)
for i = 1, #all, 2 do
  if string.sub(all[i], 1, 2) == 'm:' and all[i + 1] == '0' then return 1 end
end
close(false)
return 1
