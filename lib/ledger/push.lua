-- Brings one node's absolute counters into a hash and makes its plain fields the sum of all nodes'.
--
-- KEYS[1]  hash of an account's counters, or of its users' counters
-- ARGV[1]  the share: _NODE.LEDGER
-- ARGV[2]  number through which the share counts
-- ARGV[3]  its counters: "name amount name amount ..."
-- ARGV[4]  the user; empty: the account
--
-- Answers 1 (changed), 0 (all was there), or minus the number found where Redis holds a newer share.
-- Nothing is written before the one HSET at the end, and nothing after it: whatever cuts the
-- script, or the file that logs it, leaves the hash as it was or as it should be. The same call
-- twice, late or out of order changes nothing.

local EXACT = 9007199254740991 -- above this, doubles are not exact
local key, share, number, counters, user = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local share_end = user == '' and '' or ' ' .. user
local plain_start = user == '' and '' or user .. ' '

local function fault(text)
    return redis.error_reply('TOLLGATE ' .. text)
end

-- The shares of this hash; ours is put last where it is new.
local nodes = redis.call('HGET', key, '_nodes') or ''
local fields, ours = {}, nil
for name in string.gmatch(nodes, '%S+') do
    fields[#fields + 1] = name .. share_end
    if name == share then
        ours = #fields
    end
end
local changes = {}
if not ours then
    fields[#fields + 1] = share .. share_end
    ours = #fields
    changes[1] = '_nodes'
    changes[2] = nodes == '' and share or nodes .. ' ' .. share
end

local texts = redis.call('HMGET', key, unpack(fields))
local text = number .. ' ' .. counters
local found = texts[ours] and tonumber(string.match(texts[ours], '^%d+'))
if found and found > tonumber(number) then
    return -found
end
if texts[ours] ~= text then
    changes[#changes + 1] = fields[ours]
    changes[#changes + 1] = text
    texts[ours] = text
end

local names, sums = {}, {}
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
                names[#names + 1] = plain_start .. name
                sums[name] = 0
            end
            sums[name] = sums[name] + tonumber(amount)
            if sums[name] > EXACT then
                return fault('the sum of ' .. name .. ' is beyond what can be counted exactly')
            end
        end
    end
end

if #names > 0 then
    local plain = redis.call('HMGET', key, unpack(names))
    for i = 1, #names do
        local sum = string.format('%.0f', sums[string.sub(names[i], #plain_start + 1)])
        if plain[i] ~= sum then
            changes[#changes + 1] = names[i]
            changes[#changes + 1] = sum
        end
    end
end
if #changes == 0 then
    return 0
end
redis.call('HSET', key, unpack(changes))
return 1
