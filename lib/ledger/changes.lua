-- Brings together what Redis and a node's copy know of what a holder was given at run time; the newer version wins.
--
-- KEYS  tg:{holder}:plan, tg:{holder}:limits, tg:{holder}:changed, tg:{holder}:node, tg:{holder}:adjust
-- ARGV  triples of the copy: name ("plan", "retired", "adjust PERIOD ID", or that of a limit), version, value (empty:
--       it was removed)
--
-- Answers how many values were given back to Redis; how many versions were written there; then triples of the same
-- form: all that has a version now.
--
-- A version that Redis lacks, or that is older there, was lost: a Redis that was flushed or is an older one. What
-- Redis has under the version of the copy and yet otherwise, or under none, was written without `tollgate`: it counts
-- as a change made now.

local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

-- The hash that has it, and its field.
local function place(name)
    if name == 'retired' then
        return KEYS[4], name
    elseif name:sub(1, 7) == 'adjust ' then
        return KEYS[5], name:sub(8)
    end
    return KEYS[2], name
end

local function get(name)
    if name == 'plan' then
        return redis.call('GET', KEYS[1]) or ''
    end
    return redis.call('HGET', place(name)) or ''
end

local function set(name, value)
    local hash, field = place(name)
    if name == 'plan' and value == '' then
        redis.call('DEL', KEYS[1])
    elseif name == 'plan' then
        redis.call('SET', KEYS[1], value)
    elseif value == '' then
        redis.call('HDEL', hash, field)
    else
        redis.call('HSET', hash, field, value)
    end
end

local function version_of(name)
    return tonumber(redis.call('HGET', KEYS[3], name) or nil)
end

local restored, written = 0, 0

local function version_set(name, version)
    written = written + 1
    redis.call('HSET', KEYS[3], name, string.format('%.0f', version))
end

local function merge(name, version, value)
    local there, current = version_of(name), get(name)
    local is_lost = there and there < version or not there and (current == '' or current == value)
    if is_lost then
        if current ~= value then
            set(name, value)
            restored = restored + 1
        end
        version_set(name, version)
    elseif not there or there == version and current ~= value then
        version_set(name, math.max(now, version + 1))
    end
end

for i = 1, #ARGV, 3 do
    merge(ARGV[i], tonumber(ARGV[i + 1]), ARGV[i + 2])
end
local names = redis.call('HKEYS', KEYS[2])
if redis.call('EXISTS', KEYS[1]) == 1 then
    names[#names + 1] = 'plan'
end
for _, field in ipairs(redis.call('HKEYS', KEYS[5])) do
    names[#names + 1] = 'adjust ' .. field
end
if redis.call('HEXISTS', KEYS[4], 'retired') == 1 then
    names[#names + 1] = 'retired'
end
for _, name in ipairs(names) do
    if not version_of(name) then
        version_set(name, now)
    end
end
local answer, versions = { restored, written }, redis.call('HGETALL', KEYS[3])
for i = 1, #versions, 2 do
    answer[#answer + 1] = versions[i]
    answer[#answer + 1] = versions[i + 1]
    answer[#answer + 1] = get(versions[i])
end
return answer
