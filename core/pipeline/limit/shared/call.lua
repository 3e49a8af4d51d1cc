-- Begins a roll call if the mark is missing. KEYS: the mark. ARGV: a new name, until when, and the replicas that the asker
-- knows of. Answers {the name, 1 if it is the new one}.
local e, made = redis.call('HGET', mark, 'e'), 0
if not e then
  e, made = ARGV[1], 1
  redis.call('HSET', mark, 'e', e, 'until', ARGV[2])
end
if redis.call('HEXISTS', mark, 'until') == 1 then
  for i = 3, #ARGV do redis.call('HSETNX', mark, 'm:' .. ARGV[i], 0) end
end
return {e, made}
