-- The usual case of push.lua, which comes after this, at a fraction of its price: the share alone
-- counts in the hash (of the user), and in the same counters as before. Then its text is their codes,
-- and each amount stands in the plain field. Whatever is not exactly so is left to push.lua, and so
-- is every call that asks for more than a push (ARGV[5] and those behind it).

local function push_quick()
    local number, user = ARGV[2], ARGV[4]
    local start, share_end, digits = '', '', #number
    for i = 5, #ARGV do
        if ARGV[i] ~= '' then
            return
        end
    end
    if user ~= '' then
        start, share_end = user .. ' ', ' ' .. user
    end
    -- The share, '_nodes', then the counters.
    local fields, amounts, last = { ARGV[1] .. share_end, '_nodes' }, {}, 2
    for name, amount in string.gmatch(ARGV[3], '(%S+) (%d+)') do
        last = last + 1
        fields[last] = start .. name
        amounts[last] = amount
        if #amount > 15 then
            return -- push.lua knows what can be counted exactly
        end
    end
    local found = redis.call('HMGET', KEYS[1], unpack(fields))
    local before, codes = string.match(found[1] or '', '^=(%d+)(%u+)$')
    if not before or #before ~= digits or before > number then
        return
    end
    local _, counters = string.gsub(codes, '[W-Z]?%u', '')
    if counters ~= last - 2 then
        return
    end
    -- No other share: a user's hash lists them, another one has no field besides.
    if user ~= '' and found[2] ~= ARGV[1] then
        return
    end
    if user == '' and (found[2] or redis.call('HLEN', KEYS[1]) ~= last - 1) then
        return
    end
    local changes, size = {}, 0
    if before ~= number then
        changes[1], changes[2], size = fields[1], '=' .. number .. codes, 2
    end
    for i = 3, last do
        if not found[i] then
            return
        end
        if found[i] ~= amounts[i] then
            changes[size + 1], changes[size + 2] = fields[i], amounts[i]
            size = size + 2
        end
    end
    if size == 0 then
        return 0
    end
    redis.call('HSET', KEYS[1], unpack(changes))
    return 1
end

local pushed = push_quick()
if pushed then
    return pushed
end

