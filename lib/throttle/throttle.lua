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
-- key: newest slice (or month end), leased. Where nothing is over and nothing to tell, { now_ms, 0, for each test: used }
-- and the leases.
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
-- Calls, tables and numbers that become texts cost Redis more than anything else here. So a message that fits, in
-- slices in which there was one before, with nothing to tell, takes the short way: one HMGET and one HSET a window, and
-- the short answer.

local SLICES, SLOTS, RESERVE_MAX = 60, 61, 5000
local KEYS, ARGV = KEYS, ARGV
local call, floor = redis.call, math.floor
local mode, id, reserve_ms = ARGV[1], nil, nil
if mode ~= 'consume' and mode ~= 'look' then
    mode, id, reserve_ms = string.match(mode, '^(%a+) (%S+) ?(%d*)$')
end
local how = (mode == 'keep' or mode == 'back') and mode or nil
local part = mode == 'lease' and tonumber(id) or nil
local time = redis.call('TIME')
local now = time[1] * 1000 + floor(time[2] / 1000)
local gots = {}

-- The soft event comes once a window.
local function is_told(soft_at, head, length)
    local at_slice = tonumber(soft_at or nil)
    return at_slice and (at_slice == head or length > 0 and at_slice < head and head - at_slice < SLOTS)
end

-- What may be leased of `wanted` where `after` is consumed: nothing that a limit, or its next soft event, could be missed
-- by.
local function leasable(wanted, after, most, soft, soft_at, head, length)
    if soft > 0 and not is_told(soft_at, head, length) then
        most = math.ceil(most * soft / 100) - 1
    end
    return math.max(0, math.min(wanted, floor((most - after) / part)))
end

local function fields_of(at, is_month, slot)
    local fields = { is_month and 'e' or 'h', 's', 'p', slot or 's' }
    for t = at + 3, at + 3 * ARGV[at + 2], 3 do
        fields[#fields + 1] = 'o' .. ARGV[t]
        fields[#fields + 1] = 'f' .. ARGV[t]
    end
    return fields
end

-- The fields of a window: newest slice (or end of the month), sum, reservations, amount of the newest slice, then two
-- a test.
local function read(i, at, is_month, slot)
    local got
    if ARGV[at + 2] == '1' then
        local max = ARGV[at + 3]
        got = call('HMGET', KEYS[i], is_month and 'e' or 'h', 's', 'p', slot or 's', 'o' .. max, 'f' .. max)
    else
        got = call('HMGET', KEYS[i], unpack(fields_of(at, is_month, slot)))
    end
    gots[i] = got
    return got
end

-- The answer, or nil where that way will not do.
local function short_way()
    local answer, n, at, writes, leased, is_short = { now, 0 }, 2, 2, {}, {}, true
    for i = 1, #KEYS do
        local length, amount, tests = ARGV[at] + 0, ARGV[at + 1] + 0, ARGV[at + 2] + 0
        local last, head, slot = at + 3 * tests + 2, nil, nil
        local behind = last + 1
        if length == 0 then
            local end1, end2 = ARGV[last + 2] + 0, ARGV[last + 3] + 0
            if now < ARGV[last + 1] + 0 or now >= end2 then
                return { now, -1 }
            end
            head, behind = now < end1 and end1 or end2, last + 4
        else
            head = floor(now / length) * SLICES + floor(now % length * SLICES / length)
            slot = head % SLOTS
        end
        local got = read(i, at, length == 0, slot)
        if not got[1] or got[1] + 0 ~= head or got[3] then
            is_short = false -- all are read before any is written
        else
            local sum = got[2] + 0
            local after, room = sum + amount, part and tonumber(ARGV[behind]) or nil
            is_short = is_short and (not part or room ~= nil)
            for t = 0, tests - 1 do
                local most, soft = ARGV[at + 3 + 3 * t] + 0, ARGV[at + 4 + 3 * t] + 0
                local soft_at = got[6 + 2 * t]
                if got[5 + 2 * t] or after >= most or
                    soft > 0 and after * 100 >= most * soft and not is_told(soft_at, head, length) then
                    is_short = false
                end
                if room then
                    room = leasable(room, after, most, soft, soft_at, head, length)
                end
                n = n + 1
                answer[n] = sum
            end
            room = room or 0
            leased[2 * i - 1], leased[2 * i] = head, room
            if amount + room > 0 and mode ~= 'look' then
                local w = #writes
                writes[w + 1], writes[w + 2], writes[w + 3] = KEYS[i], after + room, slot or ''
                writes[w + 4] = slot and (got[4] or 0) + amount + room or false
            end
        end
        at = behind + (part and 1 or 0)
    end
    if not is_short then
        return nil
    end
    for w = 1, #writes, 4 do
        if writes[w + 3] then
            call('HSET', writes[w], 's', writes[w + 1], writes[w + 2], writes[w + 3])
        else
            call('HSET', writes[w], 's', writes[w + 1])
        end
    end
    for i = 1, part and #leased or 0 do
        answer[n + i] = leased[i]
    end
    return answer
end

if mode == 'consume' or mode == 'look' or mode == 'lease' then
    local answer = short_way()
    if answer then
        return answer
    end
end

-- From here on the long way.

local windows, at = {}, 2
for i = 1, #KEYS do
    local length, tests = tonumber(ARGV[at]), {}
    local w = { key = KEYS[i], length = length, amount = tonumber(ARGV[at + 1]), tests = tests, head = 0, sum = 0,
                newest = 0, extra = 0 }
    local first, last = at, at + 3 * ARGV[at + 2]
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
    w.got = gots[i] or read(i, first, length == 0, w.head % SLOTS)
    for t = first + 3, last, 3 do
        local found = 5 + (t - first - 3) / 3 * 2
        tests[#tests + 1] = { name = ARGV[t], max = tonumber(ARGV[t]), soft = tonumber(ARGV[t + 1]),
                              stops = ARGV[t + 2] == '1', was_over = w.got[found], soft_at = w.got[found + 1] }
    end
    if part then
        w.wanted = ARGV[at]
        at = at + 1
    end
    windows[i] = w
end

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
        if w.is_new then
            call('HSET', w.key, 'h', w.head, 's', w.sum) -- first: without memory Redis refuses it, and so all
        end
        if w.expired then
            call('HDEL', w.key, unpack(w.expired))
            w.expired = nil
        end
        w.newest = w.newest + amount
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
    if test.soft == 0 or stopped == 1 or used * 100 < test.max * test.soft or is_told(test.soft_at, w.head, w.length) then
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
    w.extra = part and stopped == 0 and w.wanted or 0
    for t = 1, part and #w.tests or 0 do
        local test = w.tests[t]
        w.extra = leasable(w.extra, w.sum + w.amount, test.max, test.soft, test.soft_at, w.head, w.length)
    end
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
