-- Tests and consumes the windows of one message in one step: those of one holder (a domain with its users, the server,
-- a client), or of all that it touches.
--
-- KEYS     one hash a window
-- ARGV[1]  the mode:
--          "consume": all windows or none
--          "lease PART": the same, and what the node asks for beside it for its next messages, as far as it is at most
--          a PARTth of the room
--          "look": consume nothing
--          "reserve ID MS": consume; what is not kept within MS milliseconds (at most RESERVE_MAX) is given back
--          "keep ID", "back ID": a reservation stays, or is given back
-- then for each key: length_ms, amount, number of tests; for each test: max, soft percent, stops (0 or 1)
--   length_ms 0 is a calendar month; after its tests stand start_ms, end1_ms, end2_ms: this month lasts from start_ms
--   to end1_ms, the next one to end2_ms.
--   At last, in mode "lease": "WANTED", or "WANTED SLICE UNUSED", which gives back what was leased in that slice.
--
-- Answers { now_ms, state, for each test: used, over, crossing, soft, retry_ms, room_ms }; in mode "lease" then for each
-- key: newest slice (or month end), leased
--   state     0; 1: a test stops the message ("keep": the reservation is gone); -1: now is in neither month, and
--             nothing else was done
--   retry_ms  when the amount fits; -1: never.  room_ms: when 1 fits again after this call; 0: it does; -1: never
--
-- A window is 60 slices of exactly a sixtieth of its length; the partly expired oldest one counts in full. What is
-- leased counts as consumed in the newest slice, so it may be used up to the end of that slice.
-- Fields: h newest slice, s running sum, 0..60 amounts of slice n at n % 61, o<max> over since the last that fitted,
-- f<max> slice (or month end) of the last soft event, e end of the month that s counts, p reservations, each
-- "ID deadline slice amount;".
--
-- A window in the future (the clock was ahead) is moved to now.
--
-- Calls and tables cost Redis more than anything else here. So a message that fits, in slices in which there was one
-- before, with nothing to tell, takes the short way: one HMGET and one HSET a window.

local SLICES, SLOTS, RESERVE_MAX = 60, 61, 5000
local call, floor = redis.call, math.floor
local mode, id, reserve_ms = ARGV[1], nil, nil
if mode ~= 'consume' and mode ~= 'look' then
    mode, id, reserve_ms = string.match(mode, '^(%a+) (%S+) ?(%d*)$')
end
local how = (mode == 'keep' or mode == 'back') and mode or nil
local part = mode == 'lease' and tonumber(id) or nil
local time = redis.call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)

local windows, at = {}, 2
for i = 1, #KEYS do
    local length, tests = tonumber(ARGV[at]), {}
    local w = { key = KEYS[i], length = length, amount = tonumber(ARGV[at + 1]), tests = tests, head = 0, sum = 0,
                newest = 0, extra = 0, got = 0 }
    local last = at + 3 * ARGV[at + 2]
    for t = at + 3, last, 3 do
        tests[#tests + 1] = { name = ARGV[t], max = tonumber(ARGV[t]), soft = tonumber(ARGV[t + 1]),
                              stops = ARGV[t + 2] == '1', was_over = false, soft_at = false }
    end
    at = last + 3
    if length == 0 then
        local end1, end2 = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
        if now < tonumber(ARGV[at]) or now >= end2 then
            return { now, -1 }
        end
        w.head = now < end1 and end1 or end2
        at = at + 3
    else
        w.head = floor(now / length) * SLICES + floor(now % length * SLICES / length)
    end
    if part then
        w.wanted = ARGV[at]
        at = at + 1
    end
    windows[i] = w
end

-- The soft event comes once a window.
local function is_told(w, test)
    local at_slice = tonumber(test.soft_at or nil)
    return at_slice and (at_slice == w.head or w.length > 0 and at_slice < w.head and w.head - at_slice < SLOTS)
end

-- The share of the room that may be leased: nothing that a limit, or the next soft event, could be missed by.
local function extra(w, wanted)
    local after = w.sum + w.amount
    for t = 1, #w.tests do
        local test = w.tests[t]
        local most = test.max
        if test.soft > 0 and not is_told(w, test) then
            most = math.ceil(most * test.soft / 100) - 1
        end
        wanted = math.min(wanted, floor((most - after) / part))
    end
    return wanted > 0 and wanted or 0
end

-- Reads the window. True: the short way will do for it.
local function read(w)
    local tests, is_month, head = w.tests, w.length == 0, w.head
    local fields = { is_month and 'e' or 'h', 's', 'p', is_month and 's' or head % SLOTS }
    for t = 1, #tests do
        fields[3 + 2 * t], fields[4 + 2 * t] = 'o' .. tests[t].name, 'f' .. tests[t].name
    end
    local got = call('HMGET', w.key, unpack(fields))
    w.got = got
    local is_short = got[1] and got[1] + 0 == head and not got[3]
    w.sum = is_short and got[2] + 0 or 0
    local after = w.sum + w.amount
    for t = 1, #tests do
        local test = tests[t]
        test.was_over, test.soft_at = got[3 + 2 * t], got[4 + 2 * t]
        if test.was_over or after >= test.max or
            test.soft > 0 and after * 100 >= test.max * test.soft and not is_told(w, test) then
            is_short = false
        end
    end
    if is_short and part then
        local wanted = tonumber(w.wanted)
        is_short = wanted ~= nil
        w.extra = is_short and extra(w, wanted) or 0
    end
    return is_short
end

local is_short = mode == 'consume' or mode == 'look' or mode == 'lease'
for i = 1, #windows do
    is_short = read(windows[i]) and is_short
end
if is_short then
    local answer, n = { now, 0 }, 2
    for i = 1, #windows do
        local w = windows[i]
        local amount = w.amount + w.extra
        if amount > 0 and mode ~= 'look' then
            if w.length == 0 then
                call('HSET', w.key, 's', w.sum + amount)
            else
                call('HSET', w.key, 's', w.sum + amount, w.head % SLOTS, (w.got[4] or 0) + amount)
            end
        end
        for _ = 1, #w.tests do
            answer[n + 1], answer[n + 2], answer[n + 3] = w.sum, 0, 0
            answer[n + 4], answer[n + 5], answer[n + 6] = 0, 0, 0
            n = n + 6
        end
    end
    for i = 1, part and #windows or 0 do
        answer[n + 1], answer[n + 2] = windows[i].head, windows[i].extra
        n = n + 2
    end
    return answer
end

-- From here on the long way.

local function slice_start(length, slice)
    return floor(slice / SLICES) * length + math.ceil(slice % SLICES * length / SLICES)
end

local function text(number)
    return string.format('%.0f', number)
end

-- The time to live moves with the newest slice: two slices more than the window, from its beginning at least.
local function keep(w)
    if w.length == 0 then
        call('PEXPIREAT', w.key, text(w.head + 86400000))
    else
        call('PEXPIRE', w.key, text(w.length + math.ceil(w.length / 30)))
    end
end

local function all_slots()
    local slots = {}
    for slot = 0, SLICES do
        slots[slot + 1] = text(slot)
    end
    return slots
end

-- The slices keep their order and distance; the newest one becomes that of now.
local function move(w, old)
    local slots = all_slots()
    local amounts, changes = call('HMGET', w.key, unpack(slots)), { 'h', text(w.head) }
    call('HDEL', w.key, unpack(slots))
    for back = 0, SLICES do
        local amount = amounts[(old - back) % SLOTS + 1]
        if amount then
            changes[#changes + 1] = text((w.head - back) % SLOTS)
            changes[#changes + 1] = amount
        end
    end
    call('HSET', w.key, unpack(changes))
    keep(w)
    return tonumber(amounts[old % SLOTS + 1] or 0)
end

-- A window whose newest slice is not that of now. What has expired is only noted here, so that a refused message writes
-- little.
local function open_other_slice(w, old, sum)
    w.is_new = true
    if old > w.head + 1 then
        w.sum, w.newest, w.is_new = sum, move(w, old), false
    elseif old > w.head then
        w.head, w.sum, w.is_new = old, sum, false
        w.newest = tonumber(call('HGET', w.key, text(old % SLOTS)) or 0)
    elseif w.head - old >= SLOTS then
        w.expired = all_slots()
    else
        w.expired, w.sum = {}, sum
        for slice = old + 1, w.head do
            w.expired[#w.expired + 1] = text(slice % SLOTS)
        end
        local amounts = call('HMGET', w.key, unpack(w.expired))
        for i = 1, #amounts do
            w.sum = w.sum - (amounts[i] or 0)
        end
    end
end

-- The window as it stands at `now`. is_new: nothing was written in its newest slice yet, or in its month.
local function open(w)
    local got = w.got
    local old, sum = tonumber(got[1] or nil), tonumber(got[2] or 0)
    w.sum, w.newest, w.pending, w.is_new = 0, 0, got[3] or '', old ~= w.head
    if w.length == 0 then
        if old and old > now then
            w.sum = sum
        else
            w.pending = ''
        end
    elseif old == w.head then
        w.sum, w.newest = sum, tonumber(got[4] or 0)
    elseif old then
        open_other_slice(w, old, sum)
    end
end

local function add(w, amount)
    w.sum = w.sum + amount
    w.slices = nil
    if w.length == 0 then
        call('HSET', w.key, 's', w.sum, 'e', w.head)
    else
        if w.expired then
            call('HDEL', w.key, unpack(w.expired))
            w.expired = nil
        end
        w.newest = w.newest + amount
        if w.is_new then
            call('HSET', w.key, 'h', w.head, 's', w.sum)
        end
        if w.newest > 0 then
            call('HSET', w.key, 's', w.sum, w.head % SLOTS, w.newest)
        end
    end
    if w.is_new then
        keep(w)
        w.is_new = false
    end
end

local function give_back(w, slice, amount)
    add(w, 0)
    if w.length == 0 then
        w.sum = slice == w.head and math.max(0, w.sum - amount) or w.sum
    elseif slice <= w.head and slice > w.head - SLOTS then
        local slot = text(slice % SLOTS)
        local there = tonumber(call('HGET', w.key, slot) or 0)
        amount = math.min(there, amount)
        call('HSET', w.key, slot, text(there - amount))
        w.sum = w.sum - amount
        if slice == w.head then
            w.newest = there - amount
        end
    end
    call('HSET', w.key, 's', text(w.sum))
end

-- Reservations that are past their time are given back, and the named one as `how` says ("keep", "back").
local function settle(w)
    local left, found = {}, false
    for item, who, deadline, slice, amount in string.gmatch(w.pending, '((%S+) (%d+) (%d+) (%d+);)') do
        local is_late = tonumber(deadline) <= now or tonumber(deadline) > now + RESERVE_MAX
        if who == id and not is_late and how then
            found = true
        end
        if is_late or (who == id and how == 'back') then
            give_back(w, w.length == 0 and w.head or math.min(tonumber(slice), w.head), tonumber(amount))
        elseif not (who == id and how) then
            left[#left + 1] = item
        end
    end
    local pending = table.concat(left)
    if pending == w.pending then
        return found
    elseif pending == '' then
        call('HDEL', w.key, 'p')
    else
        call('HSET', w.key, 'p', pending)
    end
    w.pending = pending
    return found
end

local function reserve(w)
    w.pending = w.pending .. string.format('%s %.0f %.0f %.0f;', id, now + math.min(tonumber(reserve_ms), RESERVE_MAX),
                                           w.head, w.amount)
    call('HSET', w.key, 'p', w.pending)
end

-- The slices that still count, oldest first, each with its amount.
local function slices(w)
    if w.slices then
        return w.slices
    end
    local gone, fields = {}, {}
    for _, slot in ipairs(w.expired or {}) do
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
    for i, amount in ipairs(fields[1] and call('HMGET', w.key, unpack(fields)) or {}) do
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

local stopped, found = 0, true
for i = 1, #windows do
    local w = windows[i]
    open(w)
    found = settle(w) and found
    if part then
        local wanted, slice, unused = string.match(w.wanted, '^(%d+) ?(%d*) ?(%d*)$')
        w.wanted = tonumber(wanted)
        if slice ~= '' then
            give_back(w, tonumber(slice), tonumber(unused))
        end
    end
    for t = 1, #w.tests do
        local test = w.tests[t]
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
    local field = 'o' .. test.name
    if test.over and not test.was_over then
        call('HSET', w.key, field, '1')
        keep(w)
        return 1
    end
    if not test.over and test.was_over and stopped == 0 then
        call('HDEL', w.key, field)
    end
    return 0
end

-- Once a window.
local function note_soft(w, test, used)
    if test.soft == 0 or stopped == 1 or used * 100 < test.max * test.soft or is_told(w, test) then
        return 0
    end
    call('HSET', w.key, 'f' .. test.name, text(w.head))
    return 1
end

local answer = { now, stopped }
for i = 1, #windows do
    local w = windows[i]
    for t = 1, #w.tests do
        local test = w.tests[t]
        test.retry = test.over and wait(w, test.max, w.amount) or 0
    end
    w.extra = part and stopped == 0 and extra(w, w.wanted) or 0
    if mode ~= 'look' and stopped == 0 then
        add(w, w.amount + w.extra)
        if mode == 'reserve' then
            reserve(w)
        end
    end
    for t = 1, #w.tests do
        local test, crossing, soft = w.tests[t], 0, 0
        if mode ~= 'look' then
            crossing, soft = note_over(w, test), note_soft(w, test, w.sum - w.extra)
        elseif test.over then
            crossing = note_over(w, test) -- who only looks and finds it over, stops
        end
        for _, value in ipairs({ test.used, test.over and 1 or 0, crossing, soft, test.retry, wait(w, test.max, 1) }) do
            answer[#answer + 1] = value
        end
    end
end
for i = 1, part and #windows or 0 do
    answer[#answer + 1] = windows[i].head
    answer[#answer + 1] = windows[i].extra
end
return answer
