-- Writes a node's hash, if it is as the node left it. If not, Redis has lost something since: it was
-- flushed, restored from an older snapshot or replaced by a stale replica.
--
-- KEYS[1]      the node's hash
-- ARGV[1]      its ledger's id
-- ARGV[2], [3] the stamps that may be there: last confirmed, last tried
-- ARGV[4]      the new stamp
-- ARGV[5...]   further fields and values
--
-- Answers {1} (written) or {0, ledger, stamp, pushed_through} as found, '' where missing. An empty
-- ARGV[2] writes whatever is there.

if ARGV[2] ~= '' then
    local found = redis.call('HMGET', KEYS[1], '_ledger', '_stamp', 'pushed_through')
    local stamp = tonumber(found[2] or '')

    if found[1] ~= ARGV[1] or not stamp or stamp < tonumber(ARGV[2]) or
        stamp > tonumber(ARGV[3]) then
        return {0, found[1] or '', found[2] or '', found[3] or ''}
    end
end
redis.call('HSET', KEYS[1], '_ledger', ARGV[1], '_stamp', ARGV[4], unpack(ARGV, 5))
return {1}
