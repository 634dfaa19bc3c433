-- Brings one node's absolute counters into a hash and makes its plain fields the sum of all nodes'.
--
-- KEYS[1]  hash of an account's counters, or of its users' counters
-- ARGV[1]  the share: _NODE.ID
-- ARGV[2]  number through which the share counts
-- ARGV[3]  its counters: "name amount name amount ..."
-- ARGV[4]  the user; empty: the account
-- ARGV[5]  a larger number that is to be overwritten if it is there; empty: none
-- ARGV[6]  "sweep": plain fields that no share counts become 0 (an account's only)
--
-- Answers 1 (changed), 0 (all was there), or, as text, the number found where Redis holds a larger
-- one. Nothing is written before the one HSET at the end, and nothing after it: whatever cuts the
-- script, or the file that logs it, leaves the hash as it was or as it should be. The same call
-- twice, late or out of order changes nothing.

local EXACT = 9007199254740991 -- above this, doubles are not exact
local key, share, number, counters, user = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local sweep = ARGV[6] == 'sweep'
local share_end = user == '' and '' or ' ' .. user
local plain_start = user == '' and '' or user .. ' '
local plain = {} -- names of plain fields, without the user

local function fault(text)
    return redis.error_reply('TOLLGATE ' .. text)
end

-- The shares of this hash, as _nodes lists them; where ours is missing, and in a sweep, also those
-- that are there without being listed.
local nodes = redis.call('HGET', key, '_nodes') or ''
local fields, listed = {}, {}
local function list(name)
    if not listed[name] then
        listed[name] = true
        fields[#fields + 1] = name .. share_end
        return true
    end
end
for name in string.gmatch(nodes, '%S+') do
    list(name)
end
local changes = {}
if sweep or not listed[share] then
    local before = nodes
    -- A user may begin with _, but is an address then, or has no dot.
    local share_form = user == '' and '^(_%S+%.%x+)$' or '^(_[^%s@]+%.%x+) '
    for _, field in ipairs(redis.call('HKEYS', key)) do
        local name = string.match(field, share_form)
        if name and list(name) then
            nodes = nodes .. ' ' .. name
        end
        if user == '' and string.sub(field, 1, 1) ~= '_' then
            plain[#plain + 1] = field
        end
    end
    if list(share) then
        nodes = nodes .. ' ' .. share
    end
    if nodes ~= before then
        changes[1] = '_nodes'
        changes[2] = string.gsub(nodes, '^ ', '')
    end
end

local texts = redis.call('HMGET', key, unpack(fields))
local text = number .. ' ' .. counters
for i = 1, #fields do
    if fields[i] == share .. share_end then
        local found = string.match(texts[i] or '', '^%d+')
        if found and tonumber(found) > tonumber(number) and found ~= ARGV[5] then
            return found
        end
        if texts[i] ~= text then
            changes[#changes + 1] = fields[i]
            changes[#changes + 1] = text
            texts[i] = text
        end
    end
end

local sums = {}
for i = 1, #fields do
    if texts[i] then
        local word = string.gmatch(texts[i], '%S+')
        if not string.match(word() or '', '^%d+$') then
            return fault('field "' .. fields[i] .. '" is no share of a node')
        end
        for name in word do
            local amount = word() or ''
            if not string.match(amount, '^%d+$') then
                return fault('field "' .. fields[i] .. '" is no share of a node')
            end
            if not sums[name] then
                plain[#plain + 1] = name
            end
            sums[name] = (sums[name] or 0) + tonumber(amount)
            if sums[name] > EXACT then
                return fault('the sum of ' .. name .. ' is beyond what can be counted exactly')
            end
        end
    end
end

if #plain > 0 then
    local names = {}
    for i = 1, #plain do
        names[i] = plain_start .. plain[i]
    end
    local values = redis.call('HMGET', key, unpack(names))
    for i = 1, #names do
        local sum = string.format('%.0f', sums[plain[i]] or 0)
        if values[i] ~= sum and (sums[plain[i]] or sweep) then
            changes[#changes + 1] = names[i]
            changes[#changes + 1] = sum
            values[i] = sum
        end
    end
end
if #changes == 0 then
    return 0
end
redis.call('HSET', key, unpack(changes))
return 1
