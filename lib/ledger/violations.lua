-- Puts the violations of a node's copy back into a stream that lost them, in their places.
--
-- KEYS[1]  the stream
-- ARGV[1]  about how many entries it keeps; then for each entry of the copy: id, number of words, field and value
--          words
--
-- Answers how many entries were missing. An entry that is there under any id is not added again: an account's stream
-- and that of all accounts have ids of their own.

local all, seen, missing = {}, {}, 0

local function add(id, words)
    local ms, seq = string.match(id, '^(%d+)-(%d+)$')
    all[#all + 1] = { tonumber(ms), tonumber(seq), words }
    seen[table.concat(words, '\0')] = true
end

for _, entry in ipairs(redis.call('XRANGE', KEYS[1], '-', '+')) do
    add(entry[1], entry[2])
end
local at = 2
while at <= #ARGV do
    local words = {}
    for i = 1, tonumber(ARGV[at + 1]) do
        words[i] = ARGV[at + 1 + i]
    end
    if not seen[table.concat(words, '\0')] then
        add(ARGV[at], words)
        missing = missing + 1
    end
    at = at + 2 + #words
end
if missing == 0 then
    return 0
end

table.sort(all, function(a, b)
    if a[1] ~= b[1] then
        return a[1] < b[1]
    end
    return a[2] < b[2]
end)
redis.call('DEL', KEYS[1])
local ms, seq = 0, 0
for _, entry in ipairs(all) do
    if entry[1] > ms or entry[1] == ms and entry[2] > seq then
        ms, seq = entry[1], entry[2]
    else
        seq = seq + 1
    end
    redis.call('XADD', KEYS[1], string.format('%.0f-%.0f', ms, seq), unpack(entry[3]))
end
redis.call('XTRIM', KEYS[1], 'MAXLEN', '~', ARGV[1])
return missing
