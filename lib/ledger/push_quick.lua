-- The usual case of push.lua, which comes after this, at a fraction of its price: the share has each
-- of its counters alone, and counts in as many as before. Then its text is their codes, each amount
-- stands in the plain field, and what was there need not be read: another share that came to one of
-- these counters would have given ours amounts. Whatever is not exactly so is left to push.lua, and
-- so is every call that asks for more than a push.
--
-- ARGV[11] and those behind it: each counter's field and its amount, as ARGV[3] has them. None: push.lua
-- is to do it.

local FIELDS = 11 -- the first of them

local function push_quick()
    local key, number, user = KEYS[1], ARGV[2], ARGV[4]
    local share = user == '' and ARGV[1] or ARGV[1] .. ' ' .. user
    local count = (#ARGV - FIELDS + 1) / 2
    local text = redis.call('HGET', key, share) or ''
    local before, codes = string.match(text, '^=(%d+)(%u+)$')
    if not before or #before > #number or #before == #number and before > number then
        return
    end
    local _, counters = string.gsub(codes, '[W-Z]?%u', '')
    if counters ~= count then
        return
    end
    if before ~= number then
        redis.call('HSET', key, share, '=' .. number .. codes, unpack(ARGV, FIELDS))
        return 1
    end
    local fields = {}
    for i = 1, count do
        fields[i] = ARGV[FIELDS + 2 * i - 2]
    end
    local found = redis.call('HMGET', key, unpack(fields))
    for i = 1, count do
        if found[i] ~= ARGV[FIELDS + 2 * i - 1] then
            return
        end
    end
    return 0
end

local pushed = #ARGV >= FIELDS and push_quick()
if pushed then
    return pushed
end

