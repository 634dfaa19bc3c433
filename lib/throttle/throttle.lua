-- Tests and consumes the windows of one holder (a domain with its users, the server, a client) in one step.
--
-- KEYS     one hash a window
-- ARGV[1]  "consume": all windows or none; "look": consume nothing; "back <ms>": give back what was consumed then
-- then for each key: length_ms, amount, end1_ms, end2_ms, number of tests; for each test: max, soft percent, stops (0 or 1)
--   length_ms 0 is a calendar month: it ends at end1_ms, the next one at end2_ms.
--
-- Answers { now_ms, stopped, for each test: used, over, crossing, soft, retry_ms }; retry_ms -1: never.
--
-- A window is 60 slices of exactly a sixtieth of its length; the partly expired oldest one counts in full.
-- Fields: h newest slice, s running sum, 0..60 amounts of slice n at n % 61, o<max> over since the last that fitted,
-- f<max> slice (or month end) of the last soft event, e end of the month that s counts.

local SLICES, SLOTS = 60, 61
local mode = ARGV[1]
local back_ms = tonumber(string.match(mode, '^back (%d+)$'))
local time = redis.call('TIME')
local now = tonumber(time[1]) * 1000 + math.floor(tonumber(time[2]) / 1000)

local function slice_at(length, ms)
    return math.floor(ms / length) * SLICES + math.floor(ms % length * SLICES / length)
end

local function slice_start(length, slice)
    return math.floor(slice / SLICES) * length + math.ceil(slice % SLICES * length / SLICES)
end

local function text(number)
    return string.format('%.0f', number)
end

-- The window as it stands at `now`; what has expired is only noted here, so that a refused message writes little.
local function open_month(w)
    local got = redis.call('HMGET', w.key, 'e', 's')
    w.head = now < w.end1 and w.end1 or w.end2
    w.sum = tonumber(got[1]) == w.head and tonumber(got[2]) or 0
end

local function open_rolling(w)
    local got = redis.call('HMGET', w.key, 'h', 's')
    local old = tonumber(got[1])
    w.head, w.sum, w.expired = slice_at(w.length, now), 0, {}
    if not old then
        return
    end
    if w.head < old then
        w.head = old
    end
    if w.head - old >= SLOTS then
        for slot = 0, SLICES do
            w.expired[#w.expired + 1] = text(slot)
        end
        return
    end
    w.sum = tonumber(got[2])
    for slice = old + 1, w.head do
        w.expired[#w.expired + 1] = text(slice % SLOTS)
    end
    if #w.expired > 0 then
        for _, amount in ipairs(redis.call('HMGET', w.key, unpack(w.expired))) do
            w.sum = w.sum - (tonumber(amount) or 0)
        end
    end
end

-- In how many ms `amount` more fits under max.
local function retry(w, max)
    if w.amount > max then
        return -1
    end
    if w.length == 0 then
        return w.head - now
    end
    local gone = {}
    for _, slot in ipairs(w.expired) do
        gone[slot] = true
    end
    local left, fields, slices = w.sum, {}, {}
    for slice = w.head - SLICES, w.head do
        local slot = text(slice % SLOTS)
        if not gone[slot] then
            fields[#fields + 1], slices[#slices + 1] = slot, slice
        end
    end
    if #fields > 0 then
        for i, amount in ipairs(redis.call('HMGET', w.key, unpack(fields))) do
            left = left - (tonumber(amount) or 0)
            if left + w.amount <= max then
                return slice_start(w.length, slices[i] + SLOTS) - now
            end
        end
    end
    return 0
end

local function store(w, changes)
    redis.call('HSET', w.key, unpack(changes))
    if w.length == 0 then
        redis.call('PEXPIREAT', w.key, text(w.head + 86400000))
    else
        redis.call('PEXPIRE', w.key, text(w.length + math.ceil(w.length / 30)))
    end
end

local function add(w, amount)
    w.sum = w.sum + amount
    if w.length == 0 then
        store(w, { 'e', text(w.head), 's', text(w.sum) })
        return
    end
    if #w.expired > 0 then
        redis.call('HDEL', w.key, unpack(w.expired))
    end
    redis.call('HINCRBY', w.key, text(w.head % SLOTS), text(amount))
    store(w, { 'h', text(w.head), 's', text(w.sum) })
end

local function give_back(w)
    if w.length == 0 then
        if back_ms < w.head then
            store(w, { 'e', text(w.head), 's', text(math.max(0, w.sum - w.amount)) })
        end
        return
    end
    local slice = slice_at(w.length, back_ms)
    if slice > w.head or slice <= w.head - SLOTS then
        return
    end
    add(w, 0)
    local slot = text(slice % SLOTS)
    local there = tonumber(redis.call('HGET', w.key, slot) or 0)
    local amount = math.min(there, w.amount)
    redis.call('HSET', w.key, slot, text(there - amount), 's', text(w.sum - amount))
end

local windows, at, stopped = {}, 2, 0
for i, key in ipairs(KEYS) do
    local w = { key = key, length = tonumber(ARGV[at]), amount = tonumber(ARGV[at + 1]),
                end1 = tonumber(ARGV[at + 2]), end2 = tonumber(ARGV[at + 3]), tests = {} }
    local tests = tonumber(ARGV[at + 4])
    at = at + 5
    if w.length == 0 then
        open_month(w)
    else
        open_rolling(w)
    end
    for t = 1, tests do
        local max = tonumber(ARGV[at])
        local over = w.sum + w.amount > max
        w.tests[t] = { max = max, soft = tonumber(ARGV[at + 1]), used = w.sum, over = over }
        if over and ARGV[at + 2] == '1' then
            stopped = 1
        end
        at = at + 3
    end
    windows[i] = w
end

if back_ms then
    for _, w in ipairs(windows) do
        give_back(w)
    end
    return { now, 0 }
end

-- The first stop after a time within the limit is a crossing.
local function note_over(w, test)
    local field = 'o' .. text(test.max)
    local was = redis.call('HEXISTS', w.key, field) == 1
    if test.over and not was then
        store(w, { field, '1' })
        return 1
    end
    if not test.over and was and stopped == 0 then
        redis.call('HDEL', w.key, field)
    end
    return 0
end

-- Once a window.
local function note_soft(w, test)
    if test.soft == 0 or stopped == 1 or (w.sum) * 100 < test.max * test.soft then
        return 0
    end
    local field = 'f' .. text(test.max)
    local last = tonumber(redis.call('HGET', w.key, field) or '')
    if last and (w.length == 0 and last == w.head or w.length > 0 and w.head - last < SLOTS) then
        return 0
    end
    redis.call('HSET', w.key, field, text(w.head))
    return 1
end

local answer = { now, stopped }
for _, w in ipairs(windows) do
    for _, test in ipairs(w.tests) do
        test.retry = test.over and retry(w, test.max) or 0
    end
    if mode == 'consume' and stopped == 0 then
        add(w, w.amount)
    end
    for _, test in ipairs(w.tests) do
        local crossing, soft = 0, 0
        if mode == 'consume' then
            crossing, soft = note_over(w, test), note_soft(w, test)
        elseif test.over then
            crossing = note_over(w, test) -- who only looks and finds it over, stops
        end
        for _, value in ipairs({ test.used, test.over and 1 or 0, crossing, soft, test.retry }) do
            answer[#answer + 1] = value
        end
    end
end
return answer
