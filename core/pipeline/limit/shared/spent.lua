-- Sets what a scope has spent because a period ended or somebody set it: once for each change. KEYS: minute, open, money.
-- ARGV: spent, number of the change
local seen = tonumber(redis.call('HGET', KEYS[3], 'v') or '-1')
if seen >= tonumber(ARGV[2]) then return 0 end
local all = redis.call('HKEYS', KEYS[3])
for i = 1, #all do
  if string.sub(all[i], 1, 2) == 'u:' then redis.call('HDEL', KEYS[3], all[i]) end
end
redis.call('HSET', KEYS[3], 's', ARGV[1], 'v', ARGV[2])
redis.call('PEXPIRE', KEYS[3], 3600000)
return 1
