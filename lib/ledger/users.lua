-- Puts one page of a hash of users' counters right: a plain field is the sum of its user's shares,
-- and is not there where none has it. A counter that one share alone has is put right when that is
-- pushed. How shares stand in it: share.lua, which comes before this.
--
-- KEYS[1]  hash of users' counters
-- ARGV[1]  cursor of HSCAN; 0: from the beginning
-- ARGV[2]  about how many fields a page
--
-- Answers the cursor of the next page as text; "0": there is none. Each write is right by itself,
-- and the same call twice changes nothing.

local CHUNK = 1000 -- of what one command is given
local key = KEYS[1]
local page = redis.call('HSCAN', key, ARGV[1], 'COUNT', ARGV[2])
local nodes = redis.call('HGET', key, '_nodes') or ''
local names, listed = {}, {}
local users, strays, changes = {}, {}, {}

local function list(name)
    local is_new = not listed[name]
    if is_new then
        listed[name] = true
        names[#names + 1] = name
    end
    return is_new
end

local function take(field)
    local share = string.match(field, '^(_[^%s@]+%.%x+) ')
    local user, counter = string.match(field, '^(.+) (%S+)$')
    if share then
        if list(share) then
            nodes = nodes .. ' ' .. share
        end
        user = string.sub(field, #share + 2)
        users[user] = users[user] or {}
    elseif user then
        users[user] = users[user] or {}
        users[user][counter] = true
    elseif string.sub(field, 1, 1) ~= '_' then
        strays[#strays + 1] = field
    end
end

-- The sums of a user's shares, PLAIN where the plain field stands for it; nil where a share is
-- damaged, which push.lua reports, or has counters that are not known here.
local function sums_of(user)
    local fields, sums = {}, {}
    for i = 1, #names do
        fields[i] = names[i] .. ' ' .. user
    end
    local texts = #fields > 0 and redis.call('HMGET', key, unpack(fields)) or {}
    local through = {}
    for i = 1, #texts do
        local seal = names[i] == SEAL and texts[i] and seal_read(texts[i])
        through = seal and seal.through or through
    end
    for i = 1, #texts do
        local read = names[i] == SEAL and texts[i] and seal_read or share_read
        local share = read(texts[i] or '=0')
        if not share or share.others ~= '' then
            return nil
        end
        local is_sealed = next(through) and through[digest(names[i])]
        for name, amount in pairs(is_sealed and {} or share.amounts) do
            local is_plain = amount == PLAIN or sums[name] == PLAIN
            sums[name] = is_plain and PLAIN or (sums[name] or 0) + amount
        end
    end
    return sums
end

local function check_sums(user, sums)
    local fields, wanted = {}, {}
    for counter, sum in pairs(sums) do
        if sum ~= PLAIN then
            fields[#fields + 1] = user .. ' ' .. counter
            wanted[#wanted + 1] = string.format('%.0f', sum)
        end
    end
    local values = #fields > 0 and redis.call('HMGET', key, unpack(fields)) or {}
    for i = 1, #values do
        if values[i] ~= wanted[i] then
            changes[#changes + 1] = fields[i]
            changes[#changes + 1] = wanted[i]
        end
    end
end

local function check(user, counters)
    local sums = sums_of(user)
    for counter in pairs(sums and counters or {}) do
        if not sums[counter] then
            strays[#strays + 1] = user .. ' ' .. counter
        end
    end
    check_sums(user, sums or {})
end

local function write(command, words)
    for at = 1, #words, CHUNK do
        redis.call(command, key, unpack(words, at, math.min(at + CHUNK - 1, #words)))
    end
end

for name in string.gmatch(nodes, '%S+') do
    list(name)
end
local before = nodes
for i = 1, #page[2], 2 do
    take(page[2][i])
end
if nodes ~= before then
    changes = { '_nodes', (string.gsub(nodes, '^ ', '')) }
end
for user, counters in pairs(users) do
    check(user, counters)
end
write('HDEL', strays)
write('HSET', changes)
return page[1]
