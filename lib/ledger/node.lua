-- Writes a node's hash, if it is as the node left it; or looks at it.
--
-- KEYS[1]      the node's hash
-- ARGV[1]      the run that has to be there; '' for none
-- ARGV[2], [3] the stamp there has to be between these; '' for none
-- ARGV[4...]   fields and values to write; none: only look
--
-- Answers {1, rival} (written) or {0, share, run, place, stamp, number, stopped, from,
-- pushed_through, host, since} as found, '' where missing.

local found = redis.call('HMGET', KEYS[1], '_ledger', '_run', '_place', '_stamp', '_number',
    '_stopped', '_from', 'pushed_through', '_host', '_since', '_rival')
for i = 1, 11 do
    found[i] = found[i] or ''
end
local stamp = tonumber(found[4])
local fits = not stamp and ARGV[2] == ''
if stamp and ARGV[2] ~= '' then
    fits = stamp >= tonumber(ARGV[2]) and stamp <= tonumber(ARGV[3])
end
if #ARGV > 3 and fits and found[2] == ARGV[1] then
    redis.call('HSET', KEYS[1], unpack(ARGV, 4))
    return {1, found[11]}
end
return {0, found[1], found[2], found[3], found[4], found[5], found[6], found[7], found[8], found[9],
    found[10]}
