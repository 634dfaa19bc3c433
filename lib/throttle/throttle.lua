-- Tests and consumes the windows of one holder (a domain with its users, the server, a client) in one step.
--
-- KEYS     one hash a window
-- ARGV[1]  the mode:
--          "consume": all windows or none
--          "look": consume nothing
--          "reserve ID MS": consume; what is not kept within MS milliseconds (at most RESERVE_MAX) is given back
--          "keep ID", "back ID": a reservation stays, or is given back
-- then for each key: length_ms, amount, start_ms, end1_ms, end2_ms, number of tests; for each test: max, soft
-- percent, stops (0 or 1)
--   length_ms 0 is a calendar month: this one lasts from start_ms to end1_ms, the next one to end2_ms.
--
-- Answers { now_ms, state, for each test: used, over, crossing, soft, retry_ms, room_ms }
--   state     0; 1: a test stops the message ("keep": the reservation is gone); -1: now is in neither month, and
--             nothing else was done
--   retry_ms  when the amount fits; -1: never.  room_ms: when 1 fits again after this call; 0: it does; -1: never
--
-- A window is 60 slices of exactly a sixtieth of its length; the partly expired oldest one counts in full.
-- Fields: h newest slice, s running sum, 0..60 amounts of slice n at n % 61, o<max> over since the last that fitted,
-- f<max> slice (or month end) of the last soft event, e end of the month that s counts, p reservations, each
-- "ID deadline slice amount;".
--
-- A window in the future (the clock was ahead) is moved to now.

local SLICES, SLOTS, RESERVE_MAX = 60, 61, 5000
local mode, id, reserve_ms = string.match(ARGV[1], '^(%a+) ?(%S*) ?(%d*)$')
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

local function store(w, changes)
    redis.call('HSET', w.key, unpack(changes))
    if w.length == 0 then
        redis.call('PEXPIREAT', w.key, text(w.head + 86400000))
    else
        redis.call('PEXPIRE', w.key, text(w.length + math.ceil(w.length / 30)))
    end
end

-- The slices keep their order and distance; the newest one becomes that of now.
local function move(w, old)
    local slots = {}
    for slot = 0, SLICES do
        slots[#slots + 1] = text(slot)
    end
    local amounts, changes = redis.call('HMGET', w.key, unpack(slots)), { 'h', text(w.head) }
    redis.call('HDEL', w.key, unpack(slots))
    for back = 0, SLICES do
        local amount = amounts[(old - back) % SLOTS + 1]
        if amount then
            changes[#changes + 1] = text((w.head - back) % SLOTS)
            changes[#changes + 1] = amount
        end
    end
    store(w, changes)
end

-- The window as it stands at `now`; what has expired is only noted here, so that a refused message writes little.
local function open_month(w)
    local got = redis.call('HMGET', w.key, 'e', 's', 'p')
    local counted = tonumber(got[1])
    w.head = now < w.end1 and w.end1 or w.end2
    w.sum, w.pending = 0, ''
    if counted and counted > now then
        w.sum, w.pending = tonumber(got[2]), got[3] or ''
    end
end

local function open_rolling(w)
    local got = redis.call('HMGET', w.key, 'h', 's', 'p')
    local old = tonumber(got[1])
    w.head, w.sum, w.expired, w.pending = slice_at(w.length, now), 0, {}, got[3] or ''
    if not old then
        return
    end
    if old > w.head + 1 then
        move(w, old)
        old = w.head
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

local function add(w, amount)
    w.sum = w.sum + amount
    w.slices = nil
    if w.length == 0 then
        store(w, { 'e', text(w.head), 's', text(w.sum) })
        return
    end
    if #w.expired > 0 then
        redis.call('HDEL', w.key, unpack(w.expired))
        w.expired = {}
    end
    if amount > 0 then
        redis.call('HINCRBY', w.key, text(w.head % SLOTS), text(amount))
    end
    store(w, { 'h', text(w.head), 's', text(w.sum) })
end

local function give_back(w, slice, amount)
    add(w, 0)
    if w.length == 0 then
        w.sum = math.max(0, w.sum - amount)
    elseif slice <= w.head and slice > w.head - SLOTS then
        local slot = text(slice % SLOTS)
        local there = tonumber(redis.call('HGET', w.key, slot) or 0)
        amount = math.min(there, amount)
        redis.call('HSET', w.key, slot, text(there - amount))
        w.sum = w.sum - amount
    end
    redis.call('HSET', w.key, 's', text(w.sum))
end

-- Reservations that are past their time are given back, and the named one as `how` says ("keep", "back").
local function settle(w, how)
    if w.pending == '' then
        return false
    end
    local left, found = {}, false
    for item, who, deadline, slice, amount in string.gmatch(w.pending, '((%S+) (%d+) (%d+) (%d+);)') do
        local is_late = tonumber(deadline) <= now or tonumber(deadline) > now + RESERVE_MAX
        if who == id and not is_late and how then
            found = true
        end
        if is_late or (who == id and how == 'back') then
            give_back(w, math.min(tonumber(slice), w.head), tonumber(amount))
        elseif not (who == id and how) then
            left[#left + 1] = item
        end
    end
    local pending = table.concat(left)
    if pending == w.pending then
        return found
    elseif pending == '' then
        redis.call('HDEL', w.key, 'p')
    else
        redis.call('HSET', w.key, 'p', pending)
    end
    w.pending = pending
    return found
end

local function reserve(w)
    w.pending = w.pending .. string.format('%s %.0f %.0f %.0f;', id, now + math.min(tonumber(reserve_ms), RESERVE_MAX),
                                           w.head, w.amount)
    redis.call('HSET', w.key, 'p', w.pending)
end

-- The slices that still count, oldest first, each with its amount.
local function slices(w)
    if w.slices then
        return w.slices
    end
    local gone, fields = {}, {}
    for _, slot in ipairs(w.expired) do
        gone[slot] = true
    end
    w.slices = {}
    for slice = w.head - SLICES, w.head do
        local slot = text(slice % SLOTS)
        if not gone[slot] then
            fields[#fields + 1] = slot
            w.slices[#w.slices + 1] = { slice = slice }
        end
    end
    for i, amount in ipairs(redis.call('HMGET', w.key, unpack(fields))) do
        w.slices[i].amount = tonumber(amount) or 0
    end
    return w.slices
end

-- In how many ms `amount` more fits under max.
local function wait(w, max, amount)
    if amount > max then
        return -1
    elseif w.sum + amount <= max then
        return 0
    elseif w.length == 0 then
        return w.head - now
    end
    local left = w.sum
    for _, it in ipairs(slices(w)) do
        left = left - it.amount
        if left + amount <= max then
            return slice_start(w.length, it.slice + SLOTS) - now
        end
    end
    return 0
end

local windows, at, stopped = {}, 2, 0
for i, key in ipairs(KEYS) do
    local w = { key = key, length = tonumber(ARGV[at]), amount = tonumber(ARGV[at + 1]), start = tonumber(ARGV[at + 2]),
                end1 = tonumber(ARGV[at + 3]), end2 = tonumber(ARGV[at + 4]), tests = {} }
    local tests = tonumber(ARGV[at + 5])
    at = at + 6
    if w.length == 0 and (now < w.start or now >= w.end2) then
        return { now, -1 }
    end
    for t = 1, tests do
        w.tests[t] = { max = tonumber(ARGV[at]), soft = tonumber(ARGV[at + 1]), stops = ARGV[at + 2] == '1' }
        at = at + 3
    end
    windows[i] = w
end

local how = (mode == 'keep' or mode == 'back') and mode or nil
local found = true
for _, w in ipairs(windows) do
    if w.length == 0 then
        open_month(w)
    else
        open_rolling(w)
    end
    found = settle(w, how) and found
    for _, test in ipairs(w.tests) do
        test.used, test.over = w.sum, w.sum + w.amount > test.max
        if test.over and test.stops then
            stopped = 1
        end
    end
end
if how then
    return { now, found and 0 or 1 }
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
    if last and last <= w.head and (w.length == 0 and last == w.head or w.length > 0 and w.head - last < SLOTS) then
        return 0
    end
    redis.call('HSET', w.key, field, text(w.head))
    return 1
end

local answer = { now, stopped }
for _, w in ipairs(windows) do
    for _, test in ipairs(w.tests) do
        test.retry = test.over and wait(w, test.max, w.amount) or 0
    end
    if mode ~= 'look' and stopped == 0 then
        add(w, w.amount)
        if mode == 'reserve' then
            reserve(w)
        end
    end
    for _, test in ipairs(w.tests) do
        local crossing, soft = 0, 0
        if mode ~= 'look' then
            crossing, soft = note_over(w, test), note_soft(w, test)
        elseif test.over then
            crossing = note_over(w, test) -- who only looks and finds it over, stops
        end
        for _, value in ipairs({ test.used, test.over and 1 or 0, crossing, soft, test.retry, wait(w, test.max, 1) }) do
            answer[#answer + 1] = value
        end
    end
end
return answer
