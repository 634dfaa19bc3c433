-- As much of Redis as the push of a ledger needs, in memory, for t/sim/simulate. The scripts that it
-- runs are the real ones. t/sim/redis.t holds its answers against those of a real server.
--
-- Global functions for the host: run(words), answer(script, key, asked), eval(script, asked, words),
-- save(), restore(copy), state(); from it: now_s().

local CHECK_EVERY = 100

-- With LuaJIT: interpreted. That of Debian 12 compiles a loop over pairs() so that from some time on
-- it ends early (https://github.com/LuaJIT/LuaJIT/issues/827); and a seed is no faster compiled.
if jit then
    jit.off()
end

-- name -> { kind = 'hash' | 'set' | 'zset' | 'string', value = ..., text = see contents() }
local keys = {}
local commands = {}
-- Script -> what its hash has -> its words -> { reply, writes, what the hash has then }. A script is
-- a function of these alone, so it is run only once for all; but now and then all the same, to see
-- that this is true.
local known, hits = {}, 0

local function wrong_type()
    return { err = 'WRONGTYPE Operation against a key holding the wrong kind of value' }
end

-- The value of a key of that kind; nil where it is not there; false where it is of another.
local function value_of(name, kind, make)
    local key = keys[name]
    if not key and make then
        key = { kind = kind, value = {} }
        keys[name] = key
    end
    if key and key.kind ~= kind then
        return false
    end
    return key and key.value
end

local function sorted(set)
    local list = {}
    for name in pairs(set) do
        list[#list + 1] = name
    end
    table.sort(list)
    return list
end

local function hash_read(name, take)
    local hash = value_of(name, 'hash')
    if hash == false then
        return wrong_type()
    end
    return take(hash or {})
end

function commands.HGET(name, field)
    return hash_read(name, function(hash) return hash[field] or false end)
end

function commands.HMGET(name, ...)
    local fields = { ... }
    return hash_read(name, function(hash)
        local found = {}
        for i = 1, #fields do
            found[i] = hash[fields[i]] or false
        end
        return found
    end)
end

function commands.HGETALL(name)
    return hash_read(name, function(hash)
        local found = {}
        for _, field in ipairs(sorted(hash)) do
            found[#found + 1] = field
            found[#found + 1] = hash[field]
        end
        return found
    end)
end

function commands.HKEYS(name)
    return hash_read(name, sorted)
end

function commands.HLEN(name)
    return hash_read(name, function(hash) return #sorted(hash) end)
end

function commands.HSCAN(name)
    local found = commands.HGETALL(name)
    return found.err and found or { '0', found }
end

function commands.HSET(name, ...)
    local words, added = { ... }, 0
    local hash = value_of(name, 'hash', true)
    if hash == false then
        return wrong_type()
    end
    keys[name].text = nil
    for i = 1, #words, 2 do
        added = added + (hash[words[i]] and 0 or 1)
        hash[words[i]] = words[i + 1]
    end
    return added
end

function commands.HDEL(name, ...)
    local hash, gone = value_of(name, 'hash'), 0
    if hash == false then
        return wrong_type()
    end
    for _, field in ipairs({ ... }) do
        gone = gone + (hash and hash[field] and 1 or 0)
        if hash then
            hash[field] = nil
            keys[name].text = nil
        end
    end
    if hash and next(hash) == nil then
        keys[name] = nil
    end
    return gone
end

function commands.SADD(name, ...)
    local set, added = value_of(name, 'set', true), 0
    if set == false then
        return wrong_type()
    end
    for _, member in ipairs({ ... }) do
        added = added + (set[member] and 0 or 1)
        set[member] = true
    end
    return added
end

function commands.SMEMBERS(name)
    local set = value_of(name, 'set')
    if set == false then
        return wrong_type()
    end
    return sorted(set or {})
end

function commands.ZADD(name, ...)
    local words, added = { ... }, 0
    local set = value_of(name, 'zset', true)
    if set == false then
        return wrong_type()
    end
    for i = 1, #words, 2 do
        added = added + (set[words[i + 1]] and 0 or 1)
        set[words[i + 1]] = words[i]
    end
    return added
end

function commands.ZREM(name, ...)
    local set, gone = value_of(name, 'zset'), 0
    if set == false then
        return wrong_type()
    end
    for _, member in ipairs({ ... }) do
        gone = gone + (set and set[member] and 1 or 0)
        if set then
            set[member] = nil
        end
    end
    if set and next(set) == nil then
        keys[name] = nil
    end
    return gone
end

function commands.ZCARD(name)
    local set = value_of(name, 'zset')
    if set == false then
        return wrong_type()
    end
    return #sorted(set or {})
end

function commands.GET(name)
    local key = keys[name]
    if key and key.kind ~= 'string' then
        return wrong_type()
    end
    return key and key.value or false
end

function commands.SET(name, value, condition)
    if condition == 'NX' and keys[name] then
        return false
    end
    keys[name] = { kind = 'string', value = value }
    return { ok = 'OK' }
end

function commands.DEL(name)
    local was = keys[name] and 1 or 0
    keys[name] = nil
    return was
end

-- Nothing here lives long enough to expire.
function commands.EXPIREAT(name, when)
    if not keys[name] then
        return 0
    end
    keys[name].expires = tonumber(when)
    return 1
end

function commands.EXPIRE(name, seconds)
    return commands.EXPIREAT(name, now_s() + tonumber(seconds))
end

function commands.TTL(name)
    local key = keys[name]
    if not key then
        return -2
    end
    return key.expires and key.expires - now_s() or -1
end

-- All in one page, whatever the pattern.
function commands.SCAN()
    return { '0', commands.KEYS('') }
end

function commands.FLUSHALL()
    keys, known = {}, {}
    return { ok = 'OK' }
end

function commands.KEYS(start)
    local found = {}
    for name in pairs(keys) do
        if string.sub(name, 1, #start) == start then
            found[#found + 1] = name
        end
    end
    table.sort(found)
    return found
end

-- What a script may do to its key, to be known: see eval().
local READS = { HGET = true, HMGET = true, HGETALL = true, HKEYS = true, HLEN = true, HSCAN = true }
local WRITES = { HSET = true, HDEL = true }
local writes -- of the script that runs, each { name, word, ... }; nil: it did something else

function run(words)
    local command = commands[words[1]]
    if not command then
        return { err = 'ERR unknown command ' .. words[1] }
    end
    return command(unpack(words, 2))
end

redis = {}

function redis.call(name, key, ...)
    if WRITES[name] and writes and key == KEYS[1] then
        writes[#writes + 1] = { name, ... }
    elseif not READS[name] or key ~= KEYS[1] then
        writes = nil
    end
    local reply = run({ name, key, ... })
    if type(reply) == 'table' and reply.err then
        error(reply, 0)
    end
    return reply
end

function redis.error_reply(text)
    return { err = text }
end

-- All that a hash has; nil: the key is none.
local function contents(name)
    local key = keys[name]
    if key and not key.text and key.kind == 'hash' then
        local words = {}
        for i, field in ipairs(sorted(key.value)) do
            words[2 * i - 1], words[2 * i] = field, key.value[field]
        end
        key.text = table.concat(words, '\n')
    end
    return key and key.text or not key and '' or nil
end

local function script_run(script)
    writes = {}
    local good, reply = pcall(script)
    if not good then
        writes = nil
        reply = type(reply) == 'table' and reply or { err = 'ERR ' .. tostring(reply) }
    end
    return reply
end

local function replay(name, done)
    for _, words in ipairs(done.writes) do
        commands[words[1]](name, unpack(words, 2))
    end
    if keys[name] and #done.writes > 0 then
        keys[name].text = done.after
    end
    return done.reply
end

-- What the script says to that, and does, if that is known; nil: run it.
function answer(script, name, asked)
    local done = known[script] and known[script][contents(name)]
    done = done and done[asked]
    hits = hits + (done and 1 or 0)
    if done and hits % CHECK_EVERY ~= 0 then
        return replay(name, done)
    end
end

local function keep(script, before, asked, reply)
    local of_script = known[script] or {}
    known[script] = of_script
    of_script[before] = of_script[before] or {}
    local was = of_script[before][asked]
    local is = { reply = reply, writes = writes, after = contents(KEYS[1]) }
    assert(not was or was.reply == reply and was.after == is.after, 'a script is no function')
    of_script[before][asked] = is
end

-- A script, compiled; asked: its words without the key, as one text; words: key and words. One that
-- answers with a table is that of a node's hash, which says something else each time.
function eval(script, asked, words)
    local before = known[script] ~= false and contents(words[1])
    KEYS, ARGV = { words[1] }, { unpack(words, 2) }
    local reply = script_run(script)
    if type(reply) == 'table' then
        known[script] = reply.err ~= nil and known[script]
    elseif writes and before then
        keep(script, before, asked, reply or false)
    end
    return reply
end

function save()
    local copy = {}
    for name, key in pairs(keys) do
        local value = key.value
        if type(value) == 'table' then
            value = {}
            for field, word in pairs(key.value) do
                value[field] = word
            end
        end
        copy[name] = { kind = key.kind, value = value, expires = key.expires }
    end
    return copy
end

-- The copy may be restored once more.
function restore(copy)
    keys = copy
    keys = save()
end

-- All that there is, as one text; but for the nodes' hashes, which say the time.
function state()
    local texts = {}
    for _, name in ipairs(commands.KEYS('')) do
        local value = keys[name].value
        if string.sub(name, -5) ~= ':node' then
            texts[#texts + 1] = name
            texts[#texts + 1] = contents(name) or
                type(value) == 'table' and table.concat(sorted(value), ' ') or value
        end
    end
    return table.concat(texts, '\n')
end
