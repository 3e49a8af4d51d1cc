-- Counts a request of a minute at a deployment, unless there have been as many as the limit.
-- KEYS[1] the minute's use; ARGV: field, limit, seconds the minute is kept.
local used = tonumber(redis.call('HGET', KEYS[1], ARGV[1]) or '0')
if used >= tonumber(ARGV[2]) then
  return 0
end
redis.call('HINCRBY', KEYS[1], ARGV[1], 1)
redis.call('EXPIRE', KEYS[1], ARGV[3])
return 1
