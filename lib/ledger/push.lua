-- Brings one share's absolute counters into a hash and makes its plain fields the sum of all
-- shares. How shares stand in it: share.lua, which comes before this.
--
-- KEYS[1]  hash of an account's counters, or of its users' counters
-- ARGV[1]  the share: _NODE.ID
-- ARGV[2]  number through which the share counts
-- ARGV[3]  its counters: "name amount name amount ..."; empty: they are not known any more, and the
--          share, if it is there, stays as it is
-- ARGV[4]  the user; empty: the account
-- ARGV[5]  a larger number that is to be overwritten if it is there; empty: none
-- ARGV[6]  "sweep": plain fields that no share counts become 0 (an account's only);
--          "show": nothing is changed
-- ARGV[7]  "names": write the names form, which every version reads
-- ARGV[8]  "final": the period is over, and the ledger can tell for ever what the share was at this
--          number: it goes into the seal, where that takes less room;
--          "left": another ledger continues the share, and knows better what the seal has of it
-- ARGV[9]  what the share was at each number at which it may have gone into a seal: lines of
--          "number name amount name amount ..."
-- ARGV[10] when the hash is to expire, in Unix seconds; empty: that stays as it is. (Where push_quick.lua
--          finds the share, this has been here before.)
--
-- Answers 1 (changed), 0 (all was there), or, as text, the number found where Redis holds a larger
-- one. To "show": the share in the names form, or nothing. Nothing is written before the one HSET
-- at the end; after it goes only what no longer counts, and the time to live, which a walk sets, too.
-- So whatever cuts the script, or the file that logs it, leaves the hash as it was or as it should be.
-- The same call twice, late or out of order changes nothing.

local key, mine, number, counters, user = KEYS[1], ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local over, is_sweep, is_show, as_names =
    ARGV[5], ARGV[6] == 'sweep', ARGV[6] == 'show', ARGV[7] == 'names'
local is_final, is_left, formers = ARGV[8] == 'final', ARGV[8] == 'left', ARGV[9] or ''
local expires = ARGV[10] or ''
local mark = digest(mine)
local most = user == '' and FIELD_BYTES or 1000000000 -- of a field
local share_end = user == '' and '' or ' ' .. user
local plain_start = user == '' and '' or user .. ' '
local values = {}  -- of the hash, as far as they are needed
local order = {}   -- names of shares
local pieces = {}  -- name -> how many fields it has
local shares = {}  -- name -> what share_read gives
local plain = {}   -- names of plain fields, without the user
local changes = {}
local dropped = {} -- names of shares whose fields no longer count
local seal         -- shares[SEAL]
local is_new_seal  -- to be written

local function fault(text)
    return redis.error_reply('TOLLGATE ' .. text)
end

local function list(name)
    if not pieces[name] then
        pieces[name] = 1
        order[#order + 1] = name
    end
end

local function set(field, value)
    if values[field] ~= value then
        changes[#changes + 1] = field
        changes[#changes + 1] = value
        values[field] = value
    end
end

local function field_of(name, piece)
    return name .. (piece > 1 and ':' .. piece - 1 or '') .. share_end
end

local function get(fields)
    local found = #fields > 0 and redis.call('HMGET', key, unpack(fields)) or {}
    for i = 1, #fields do
        values[fields[i]] = found[i] or nil
    end
end

local function read_account()
    local all = redis.call('HGETALL', key)
    for i = 1, #all, 2 do
        values[all[i]] = all[i + 1]
    end
    for name in string.gmatch(values._nodes or '', '%S+') do
        list(name)
    end
    for i = 1, #all, 2 do
        local name, piece = string.match(all[i], '^(_%S+%.%x+):?(%d*)$')
        if name then
            list(name)
            pieces[name] = math.max(pieces[name], (tonumber(piece) or 0) + 1)
        end
    end
end

-- A user may begin with _, but is an address then, or has no dot.
local function read_user()
    values._nodes = redis.call('HGET', key, '_nodes') or nil
    for name in string.gmatch(values._nodes or '', '%S+') do
        list(name)
    end
    for _, field in ipairs(pieces[mine] and {} or redis.call('HKEYS', key)) do
        local name = string.match(field, '^(_[^%s@]+%.%x+) ')
        if name then
            list(name)
        end
    end
    local fields = {}
    for i = 1, #order do
        fields[i] = order[i] .. share_end
    end
    get(fields)
end

-- Takes the shares apart; the name of one that is damaged.
local function read_shares()
    for i = 1, #order do
        local texts = {}
        for piece = 1, pieces[order[i]] do
            texts[piece] = values[field_of(order[i], piece)] or ''
        end
        local text = table.concat(texts)
        local read = order[i] == SEAL and seal_read or share_read
        local share = text ~= '' and read(text) or nil
        if not share and text ~= '' and order[i] ~= mine then
            return order[i]
        end
        shares[order[i]] = share
    end
end

-- A share that the seal has does not count beside it: a sealing was cut off before it was gone.
local function read_seal()
    seal = shares[SEAL]
    for i = 1, seal and #order or 0 do
        local share = shares[order[i]]
        local through = order[i] ~= SEAL and share and seal.through[digest(order[i])]
        if through then
            shares[order[i]] = nil
            dropped[order[i]] = tonumber(share.number) <= through or nil
        end
    end
end

-- Takes our share out of the seal again, as it was at that number; false where that is not known.
local function take_out(through)
    local was
    for line in string.gmatch(formers, '[^\n]+') do
        local former, text = string.match(line, '^(%d+) ?(.*)$')
        if tonumber(former) == through then
            was = {}
            if not names_read(text, was) then
                return false
            end
        end
    end
    for name, amount in pairs(was or {}) do
        if (seal.amounts[name] or 0) < amount then
            return false
        end
        seal.amounts[name] = seal.amounts[name] > amount and seal.amounts[name] - amount or nil
    end
    seal.through[mark] = nil
    is_new_seal = true
    return was ~= nil
end

-- The plain fields of all counters that a share has, and what each share has of them.
local function read_plain()
    local seen, fields = {}, {}
    for _, share in pairs(shares) do
        for name in pairs(share.amounts) do
            if not seen[name] then
                seen[name] = true
                plain[#plain + 1] = name
                fields[#fields + 1] = plain_start .. name
            end
        end
    end
    if user ~= '' then
        get(fields)
    end
end

local function resolve()
    for _, share in pairs(shares) do
        share.alone = {}
        for name, amount in pairs(share.amounts) do
            if amount == PLAIN then
                local value = values[plain_start .. name] or ''
                share.alone[name] = true
                share.amounts[name] = string.match(value, '^%d+$') and tonumber(value) or 0
            end
        end
    end
end

-- {sums, holders}; a text where a sum cannot be counted.
local function add_up()
    local sums, holders = {}, {}
    for _, share in pairs(shares) do
        for name, amount in pairs(share.amounts) do
            sums[name] = (sums[name] or 0) + amount
            holders[name] = (holders[name] or 0) + 1
            if sums[name] > EXACT then
                return 'the sum of ' .. name .. ' is beyond what can be counted exactly'
            end
        end
    end
    return { sums, holders }
end

-- Puts our share into the seal, if there is one or it takes less room: it has each amount once, where
-- shares have those that are not in the plain fields alone.
local function put_in(holders)
    local once, times = 0, 0
    for _, count in pairs(holders) do
        once, times = once + 1, times + (count > 1 and count or 0)
    end
    if not seal and times <= once then
        return
    end
    for i = 1, #order do
        if order[i] ~= mine and digest(order[i]) == mark then
            return
        end
    end
    list(SEAL)
    seal = seal or { amounts = {}, alone = {}, others = '', through = {} }
    for name, amount in pairs(shares[mine].amounts) do
        seal.amounts[name] = (seal.amounts[name] or 0) + amount
    end
    seal.through[mark] = tonumber(number)
    shares[SEAL], shares[mine], is_new_seal = seal, nil, true
    dropped[mine], dropped[SEAL] = true, nil
end

-- Another node's share is left as it stands where it says what it has to.
local function is_right(name, holders)
    local share = shares[name]
    if name == SEAL then
        return not is_new_seal
    end
    if name == mine or (share.is_names or false) ~= as_names then
        return false
    end
    for counter in pairs(as_names and {} or share.amounts) do
        if (share.alone[counter] or false) ~= (holders[counter] == 1) then
            return false
        end
    end
    return true
end

local function set_share(name, holders)
    local texts
    if as_names and name == mine then
        texts = { number .. ' ' .. counters }
    elseif name == SEAL then
        texts = seal_texts(seal, most)
    elseif as_names then
        texts = { names_text(shares[name]) }
    else
        texts = share_texts(shares[name], holders, most)
    end
    for piece = 1, math.max(pieces[name], #texts) do
        set(field_of(name, piece), texts[piece] or '')
    end
end

local function set_nodes()
    local text = table.concat(order, ' ')
    if user ~= '' or as_names then
        set('_nodes', text)
    elseif values._nodes then
        set('_nodes', '')
    end
end

local function set_plain(sums)
    local is_known = true
    for _, share in pairs(shares) do
        is_known = is_known and share.others == ''
    end
    for i = 1, #plain do
        set(plain_start .. plain[i], string.format('%.0f', sums[plain[i]]))
    end
    for field in pairs(is_sweep and user == '' and is_known and values or {}) do
        if string.sub(field, 1, 1) ~= '_' and not sums[field] then
            set(field, '0')
        end
    end
end

-- The fields of dropped shares, and with them those that were emptied.
local function fields_gone()
    local gone, is_some = {}, next(dropped) ~= nil
    for field, value in pairs(is_some and user == '' and values or {}) do
        if value == '' and string.sub(field, 1, 1) == '_' then
            gone[#gone + 1] = field
        end
    end
    for name in pairs(dropped) do
        for piece = 1, (name == SEAL or not shares[name]) and pieces[name] or 0 do
            local value = values[field_of(name, piece)]
            if value and (value ~= '' or user ~= '') then
                gone[#gone + 1] = field_of(name, piece)
            end
        end
    end
    return gone
end

if user == '' then
    read_account()
else
    read_user()
end
local damaged = read_shares()
if damaged then
    return fault('field "' .. damaged .. share_end .. '" is no share of a node')
end
read_seal()
local found, through = shares[mine], seal and seal.through[mark]
if is_show then
    read_plain()
    resolve()
    return found and names_text(found)
end
if counters == '' or is_left and through and through >= tonumber(number) then
    return 0
end
if through and through ~= tonumber(number) and
    (through > tonumber(number) or not take_out(through)) then
    return fault('field "' .. SEAL .. share_end .. '" has ' .. mine .. ' at number ' ..
        string.format('%.0f', through) .. ', of which its ledger does not know what it had counted')
end
if found and tonumber(found.number) > tonumber(number) and found.number ~= over then
    return found.number
end
list(mine)
if not through or is_new_seal then
    shares[mine] = { number = number, amounts = {}, others = '' }
    if not names_read(counters, shares[mine].amounts) then
        return fault('the counters of ' .. mine .. ' cannot be read')
    end
end
if is_new_seal and not next(seal.through) and not next(seal.amounts) and seal.others == '' then
    dropped[SEAL] = true -- empty first: our share may count beside it
end
read_plain()
resolve()
local sums = add_up()
if type(sums) == 'string' then
    return fault(sums)
end
if is_final and shares[mine] and not as_names then
    put_in(sums[2])
    sums = add_up()
end
for i = 1, #order do
    if shares[order[i]] and not is_right(order[i], sums[2]) then
        set_share(order[i], sums[2])
    end
end
set_nodes()
set_plain(sums[1])
if #changes > 0 then
    redis.call('HSET', key, unpack(changes))
end
local gone = fields_gone()
if #gone > 0 then
    redis.call('HDEL', key, unpack(gone))
end
if expires ~= '' then
    redis.call('EXPIREAT', key, expires)
end
return (#changes > 0 or #gone > 0) and 1 or 0
