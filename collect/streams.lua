-- Adds entries to a stream, each once, and in the same step notes how far a ledger has come.
--
-- KEYS[1]  the stream
-- KEYS[2]  the mark: a hash, share of a ledger -> the last row that it has written
-- ARGV[1]  the share; [2] about how many entries the stream keeps; [3] the last row as the caller knows it (empty:
--          none); [4] the last row of these entries; then for each entry: number of words, field and value words
--
-- Answers 1; 0 where the mark is another one, and nothing was added: Redis was flushed or restored, or an earlier call
-- arrived whose answer was lost.

local last = redis.call('HGET', KEYS[2], ARGV[1]) or ''
if last ~= ARGV[3] then
    return 0
end
local at = 5
while at <= #ARGV do
    local words = {}
    for i = 1, tonumber(ARGV[at]) do
        words[i] = ARGV[at + i]
    end
    redis.call('XADD', KEYS[1], 'MAXLEN', '~', ARGV[2], '*', unpack(words))
    at = at + 1 + #words
end
redis.call('HSET', KEYS[2], ARGV[1], ARGV[4])
return 1
