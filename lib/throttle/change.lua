-- Sets or removes what a holder (a domain, @server, @client, a node) is given at run time, and notes when.
--
-- KEYS  tg:{holder}:plan, tg:{holder}:limits, tg:{holder}:changed, tg:{holder}:node
-- ARGV  pairs of name and value: "plan", "retired" (of a node), or the name of a limit; an empty value removes it
--
-- Answers { version, removed }: the version of the changes (0: nothing changed), and how many were removed.
--
-- A version is the Unix time in ms, and greater than the one before whatever the clock did: every node's copy
-- knows by it what is newer (lib/ledger/changes.lua).

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)
local newest, removed = 0, 0

local function remove(name)
    if name == 'plan' then
        return redis.call('DEL', KEYS[1])
    end
    return redis.call('HDEL', KEYS[2], name)
end

local function set(name, value)
    if name == 'plan' then
        redis.call('SET', KEYS[1], value)
    elseif name == 'retired' then
        redis.call('HSET', KEYS[4], name, value)
    else
        redis.call('HSET', KEYS[2], name, value)
    end
end

for i = 1, #ARGV, 2 do
    local name, value, is_change = ARGV[i], ARGV[i + 1], true
    if value == '' then
        local count = remove(name)
        removed = removed + count
        is_change = count > 0
    else
        set(name, value)
    end
    if is_change then
        local version = math.max(now, (tonumber(redis.call('HGET', KEYS[3], name)) or 0) + 1)
        redis.call('HSET', KEYS[3], name, string.format('%.0f', version))
        newest = math.max(newest, version)
    end
end
return { newest, removed }
