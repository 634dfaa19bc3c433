-- Sets or removes what a holder (a domain, @server, @client, a node) is given at run time, and notes when.
--
-- KEYS  tg:{holder}:plan, tg:{holder}:limits, tg:{holder}:changed, tg:{holder}:node, tg:{holder}:adjust
-- ARGV  pairs of name and value: "plan", "retired" (of a node), "adjust PERIOD ID", or the name of a limit; an empty
--       value removes it
--
--       "expect NAME": nothing is done unless that has this value now (empty: none).
--
-- Answers { version, removed }: the version of the changes (0: nothing changed; -1: not what was expected), and how
-- many were removed.
--
-- A version is the Unix time in ms, and greater than the one before whatever the clock did: every node's copy
-- knows by it what is newer (lib/ledger/changes.lua).

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local newest, removed = 0, 0

-- The hash that has it, and its field.
local function place(name)
    if name == 'retired' then
        return KEYS[4], name
    elseif name:sub(1, 7) == 'adjust ' then
        return KEYS[5], name:sub(8)
    end
    return KEYS[2], name
end

local function remove(name)
    if name == 'plan' then
        return redis.call('DEL', KEYS[1])
    end
    return redis.call('HDEL', place(name))
end

-- False: an adjustment that is there already stays as it is.
local function set(name, value)
    local hash, field = place(name)
    if name == 'plan' then
        redis.call('SET', KEYS[1], value)
    elseif hash == KEYS[5] then
        return redis.call('HSETNX', hash, field, value) == 1
    else
        redis.call('HSET', hash, field, value)
    end
    return true
end

local function value_of(name)
    local value
    if name == 'plan' then
        value = redis.call('GET', KEYS[1])
    else
        value = redis.call('HGET', place(name))
    end
    return value or ''
end

for i = 1, #ARGV, 2 do
    if ARGV[i]:sub(1, 7) == 'expect ' and value_of(ARGV[i]:sub(8)) ~= ARGV[i + 1] then
        return { -1, 0 }
    end
end

local function change(name, value)
    local is_change
    if value == '' then
        local count = remove(name)
        removed = removed + count
        is_change = count > 0
    else
        is_change = set(name, value)
    end
    if is_change then
        local version = math.max(now, (tonumber(redis.call('HGET', KEYS[3], name)) or 0) + 1)
        redis.call('HSET', KEYS[3], name, string.format('%.0f', version))
        newest = math.max(newest, version)
    end
end

for i = 1, #ARGV, 2 do
    if ARGV[i]:sub(1, 7) ~= 'expect ' then
        change(ARGV[i], ARGV[i + 1])
    end
end
return { newest, removed }
