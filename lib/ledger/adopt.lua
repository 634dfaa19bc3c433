-- What the shares of a node have counted in a hash, a page at a time. How shares stand in it:
-- share.lua, which comes before this.
--
-- KEYS[1]  hash of an account's counters, or of its users' counters
-- ARGV[1]  the node
-- ARGV[2]  cursor of HSCAN; 0: from the beginning
-- ARGV[3]  about how many fields a page
-- ARGV[4]  the id of its present share, which the seal may have
--
-- Answers the cursor of the next page ("0": there is none), then for each entry: the share's id, the
-- user (empty: the account), and the share in the names form; that is empty where it is damaged, or
-- has counters of a newer version. Of a share in the seal no counters are given, but where it is the
-- only one there: the seal has the sum.

local key, start = KEYS[1], '_' .. ARGV[1] .. '.'
local page = redis.call('HSCAN', key, ARGV[2], 'COUNT', ARGV[3])
local found = { page[1] }

local function get(field)
    return redis.call('HGET', key, field)
end

-- An account's share may go on in further fields.
local function whole(field, text)
    local piece = 1
    local more = get(field .. ':1')
    while more do
        text = text .. more
        piece = piece + 1
        more = get(field .. ':' .. piece)
    end
    return text
end

-- A counter without an amount is as much as the plain field.
local function names_of(text, user)
    local share = share_read(text)
    if not share or share.others ~= '' then
        return ''
    end
    for name, amount in pairs(share.amounts) do
        if amount == PLAIN then
            share.amounts[name] = tonumber(get(user == '' and name or user .. ' ' .. name) or '0')
        end
    end
    return names_text(share)
end

-- As a share of its own; nil where it is not in the seal.
local function sealed_of(text)
    local seal = seal_read(text)
    local mark = digest(start .. ARGV[4])
    local through = seal and seal.through[mark]
    if not through then
        return not seal and '' or nil
    end
    local is_alone = next(seal.through) == mark and not next(seal.through, mark)
    return names_text({ number = string.format('%.0f', through),
        amounts = is_alone and seal.amounts or {} })
end

local function take_sealed(field, text)
    local user = string.sub(field, #SEAL + 2)
    if field ~= SEAL and string.sub(field, #SEAL + 1, #SEAL + 1) ~= ' ' then
        return -- a further piece
    end
    text = sealed_of(field == SEAL and whole(field, text) or text)
    if text then
        found[#found + 1] = ARGV[4]
        found[#found + 1] = user
        found[#found + 1] = text
    end
end

for i = 1, #page[2], 2 do
    local field, text = page[2][i], page[2][i + 1]
    if string.sub(field, 1, #SEAL) == SEAL then
        take_sealed(field, text)
    elseif string.sub(field, 1, #start) == start then
        local rest = string.sub(field, #start + 1)
        local id, user = string.match(rest, '^(%x+) (.+)$')
        if string.match(rest, '^%x+$') then
            id, user, text = rest, '', whole(field, text)
        end
        if id then
            found[#found + 1] = id
            found[#found + 1] = user
            found[#found + 1] = names_of(text, user)
        end
    end
end
return found
