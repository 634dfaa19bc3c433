-- How a share stands in a hash. This is the head of push.lua and of users.lua.
--
-- A share is the field _NODE.ID (of a user: "_NODE.ID USER"). Its value is "=" and the number
-- through which it counts, then its counters: the code of each, and its amount in base 36. A
-- counter that no other share of the hash (of the user) has stands without an amount: the plain
-- field is it. So where one ledger counts, nothing stands twice.
--
-- An account's share of more than 64 bytes goes on in the fields _NODE.ID:1, _NODE.ID:2 ...: with
-- longer values Redis would keep the hash in a form that takes three times the memory. A user's
-- does not: a hash of many users has that form anyway.
--
-- The seal, field _sealed.0 (of a user: "_sealed.0 USER"), is all shares whose ledgers have put
-- theirs into it, because the period is over (lib/ledger/push_seal.h). Its value is "#" and a digest of
-- what follows; for each of those shares the digest of its name, the number through which it counts
-- in base 36, and "."; then the sums of them, as in a share, but always with amounts. A share that
-- the seal has does not count beside it.
--
-- A code is never used again for another counter. One of a newer version is kept as it is found.
-- The names form, "NUMBER name amount name amount ...", is that of versions that knew no other;
-- their hashes list the shares in _nodes.

local EXACT = 9007199254740991 -- above this, doubles are not exact
local FIELD_BYTES = 64
local PLAIN = -1 -- an amount: that of the plain field
local SEAL = '_sealed.0'

local CODES = {
    in_messages = 'A', in_recipients = 'B', in_bytes = 'C', out_messages = 'D',
    out_recipients = 'E', out_bytes = 'F', forward_messages = 'G', forward_recipients = 'H',
    forward_bytes = 'I', relay_messages = 'WA', relay_recipients = 'WB', relay_bytes = 'WC',
    local_sent_messages = 'J', local_sent_recipients = 'K', local_sent_bytes = 'L',
    local_received_messages = 'M', local_received_recipients = 'N', local_received_bytes = 'O',
    bounces_received = 'P', in_spam_messages = 'WD', out_spam_messages = 'WE',
    priority_high_messages = 'WF', priority_high_bytes = 'WG', priority_normal_messages = 'Q',
    priority_normal_bytes = 'R', priority_low_messages = 'WH', priority_low_bytes = 'WI',
    priority_bulk_messages = 'U', priority_bulk_bytes = 'V', throttled_messages = 'WJ',
    throttled_recipients = 'WK', throttled_bytes = 'WL', throttled_bounces = 'WM',
    observed_messages = 'WN', observed_recipients = 'WO', observed_bytes = 'WP',
    observed_bounces = 'WQ', violations_messages = 'WR', violations_recipients = 'WS',
    violations_bytes = 'WT', violations_bounces = 'WU', messages = 'ZA', bytes = 'ZB',
    smtp_in_connections = 'S', smtp_in_connection_seconds = 'T', smtp_in_blocked = 'XA',
    smtp_in_bad_commands = 'XB', smtp_in_terminations = 'XC', smtp_in_auth_failed = 'XD',
    smtp_out_connections = 'XE', smtp_out_connection_seconds = 'XF', smtp_out_failed = 'XG',
    smtp_out_blocked = 'XH', smtp_out_bad_commands = 'XI', smtp_out_terminations = 'XJ',
    smtp_out_rejected = 'XK', smtp_out_sent_bytes = 'XL', pop_connections = 'YA',
    pop_connection_seconds = 'YB', pop_bytes = 'YC', pop_blocked = 'YD', pop_bad_commands = 'YE',
    pop_terminations = 'YF', pop_auth_failed = 'YG', imap_connections = 'YH',
    imap_connection_seconds = 'YI', imap_bytes = 'YJ', imap_blocked = 'YK',
    imap_bad_commands = 'YL', imap_terminations = 'YM', imap_auth_failed = 'YN',
    spamd_connections = 'ZC', spamd_connection_seconds = 'ZD', spamd_failed = 'ZE',
    clamd_connections = 'ZF', clamd_connection_seconds = 'ZG', clamd_failed = 'ZH',
    status_seconds = 'ZI', status_cpu_ms = 'ZJ', status_memory_mib_seconds = 'ZK',
    status_handle_seconds = 'ZL', status_thread_seconds = 'ZM', status_connection_seconds = 'ZN',
    status_spool_seconds = 'ZO', milter_sessions = 'ZP', milter_session_seconds = 'ZQ',
}
local NAMES

local function name_of(code)
    if not NAMES then
        NAMES = {}
        for name, of in pairs(CODES) do
            NAMES[of] = name
        end
    end
    return NAMES[code]
end

local function base36(amount)
    local text = ''
    repeat
        local digit = math.fmod(amount, 36)
        text = string.sub('0123456789abcdefghijklmnopqrstuvwxyz', digit + 1, digit + 1) .. text
        amount = (amount - digit) / 36
    until amount == 0
    return text
end

-- Six characters that stand for a text.
local function digest(text)
    local sum = 0
    for i = 1, #text do
        sum = math.fmod(sum * 131 + string.byte(text, i), 2147483647)
    end
    sum = base36(sum)
    return string.rep('0', 6 - #sum) .. sum
end

-- Adds "name amount name amount ..."; false where it is no such text.
local function names_read(text, amounts)
    local word = string.gmatch(text, '%S+')
    for name in word do
        local amount = word() or ''
        if not string.match(amount, '^%d+$') then
            return false
        end
        amounts[name] = tonumber(amount)
    end
    return true
end

-- Adds codes and amounts to the share; it, or nil where they are none.
local function codes_read(share, rest)
    local function take(name, amount)
        share.amounts[name] = amount == '' and PLAIN or tonumber(amount, 36)
        return ''
    end
    rest = string.gsub(rest, '{([%l%d_]+)}([%l%d]*)', take)
    rest = string.gsub(rest, '([W-Z]?%u)([%l%d]*)', function(code, amount)
        if name_of(code) then
            return take(name_of(code), amount)
        end
        share.others = share.others .. code .. amount
        return ''
    end)
    for _, amount in pairs(share.amounts) do
        rest = amount > EXACT and '?' or rest
    end
    return rest == '' and share or nil
end

-- As a share, and through: digest of a share's name -> number.
local function seal_read(text)
    local share = { amounts = {}, others = '', through = {} }
    local sum, body = string.match(text, '^#(%w%w%w%w%w%w)(.*)$')
    local pattern, at = '^(' .. string.rep('[%l%d]', 6) .. ')([%l%d]+)%.()', 1
    if not sum or sum ~= digest(body) then
        return nil
    end
    while true do
        local mark, number, after = string.match(body, pattern, at)
        if not mark then
            return codes_read(share, string.sub(body, at))
        end
        share.through[mark], at = tonumber(number, 36), after
    end
end

-- {number, amounts, others: of codes unknown here, is_names}, or nil where it is no share.
local function share_read(text)
    local number, rest = string.match(text, '^(%d+) ?(.*)$')
    local share = { amounts = {}, others = '' }
    if number then
        share.number, share.is_names = number, true
        return names_read(rest, share.amounts) and share or nil
    end
    share.number, rest = string.match(text, '^=(%d+)(.*)$')
    return rest and codes_read(share, rest)
end

-- Codes in order; holders: how many shares have a counter. Nil: all stand with their amounts.
local function code_words(share, holders)
    local codes, amounts = {}, {}
    for name, amount in pairs(share.amounts) do
        local code = CODES[name] or '{' .. name .. '}'
        codes[#codes + 1] = code
        amounts[code] = (not holders or holders[name] > 1) and base36(amount) or ''
    end
    table.sort(codes)
    for i = 1, #codes do
        codes[i] = codes[i] .. amounts[codes[i]]
    end
    codes[#codes + 1] = share.others
    return codes
end

-- Its text, in pieces of at most that many bytes.
local function share_texts(share, holders, most)
    local texts, text = {}, '=' .. share.number
    for _, word in ipairs(code_words(share, holders)) do
        if #text + #word > most then
            texts[#texts + 1] = text
            text = ''
        end
        text = text .. word
    end
    texts[#texts + 1] = text
    return texts
end

local function seal_texts(seal, most)
    local words, texts = {}, {}
    for mark, number in pairs(seal.through) do
        words[#words + 1] = mark .. base36(number) .. '.'
    end
    table.sort(words)
    local text = table.concat(words) .. table.concat(code_words(seal))
    text = '#' .. digest(text) .. text
    for at = 1, #text, most do
        texts[#texts + 1] = string.sub(text, at, at + most - 1)
    end
    return texts
end

local function names_text(share)
    local words = {}
    for name, amount in pairs(share.amounts) do
        words[#words + 1] = name .. string.format(' %.0f', amount)
    end
    table.sort(words)
    return share.number .. ' ' .. table.concat(words, ' ')
end
