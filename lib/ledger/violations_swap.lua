-- Puts the restored stream of all violations in place.
--
-- KEYS  the stream; the restored one
-- ARGV  the id from which on the restored one has nothing: what the stream has there follows it
--
-- Answers how many entries the stream has gained; it stays as it is where it would gain none.

local newer = redis.call('XRANGE', KEYS[1], ARGV[1], '+')
local gained = redis.call('XLEN', KEYS[2]) + #newer - redis.call('XLEN', KEYS[1])
if gained <= 0 then
    redis.call('DEL', KEYS[2])
    return 0
end
for _, entry in ipairs(newer) do
    redis.call('XADD', KEYS[2], entry[1], unpack(entry[2]))
end
redis.call('RENAME', KEYS[2], KEYS[1])
redis.call('PERSIST', KEYS[1])
return gained
