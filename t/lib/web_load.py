"""A large store for the report pages: thousands of domains over weeks, written within Redis in the
form of tollgated. Every figure follows from the domain's number and the day, so that a test can
work out what a page has to show."""

import datetime
import hashlib

UTC = datetime.timezone.utc
CHUNK = 500

# ARGV: prefix, the node's share, number of days, each day and its month ..., number of the first
# domain, each domain and its shard ...
FILL = """
local prefix, share, days = ARGV[1], ARGV[2], tonumber(ARGV[3])
local at = 4 + 2 * days + 1
local first = tonumber(ARGV[at - 1])
local fields = {'in_messages', 'in_recipients', 'in_bytes', 'out_messages', 'out_recipients',
                'out_bytes', 'forward_messages', 'forward_recipients', 'forward_bytes'}
local node = {}

local function write(key, amounts)
    local words, text = {}, {'17'}
    for _, name in ipairs(fields) do
        local number = string.format('%d', amounts[name])
        words[#words + 1] = name
        words[#words + 1] = number
        text[#text + 1] = name .. ' ' .. number
    end
    redis.call('HSET', key, '_nodes', share, share, table.concat(text, ' '), unpack(words))
end

local function add(sums, period, amounts)
    sums[period] = sums[period] or {}
    for name, amount in pairs(amounts) do
        sums[period][name] = (sums[period][name] or 0) + amount
        node[period] = node[period] or {}
        node[period][name] = (node[period][name] or 0) + amount
    end
end

for number = first, first + (#ARGV - at + 1) / 2 - 1 do
    local name, sums = ARGV[at], {}
    redis.call('SADD', prefix .. ':accounts:{' .. ARGV[at + 1] .. '}', name)
    at = at + 2
    for d = 1, days do
        local base = (number * 7919 + d * 104729) % 1000003
        local amounts = {in_messages = base % 97, in_recipients = base % 97 + 1, in_bytes = base,
            out_messages = base % 89, out_recipients = base % 89 + 2, out_bytes = base * 3,
            forward_messages = base % 7, forward_recipients = base % 7,
            forward_bytes = base % 1009}
        add(sums, 'day:' .. ARGV[2 + 2 * d], amounts)
        add(sums, 'month:' .. ARGV[3 + 2 * d], amounts)
        add(sums, 'total', amounts)
    end
    for period, amounts in pairs(sums) do
        write(prefix .. ':{' .. name .. '}:' .. period, amounts)
    end
end
for period, amounts in pairs(node) do
    for name, amount in pairs(amounts) do
        redis.call('HINCRBY', prefix .. ':{@mx1}:' .. period, name, string.format('%d', amount))
    end
end
"""


def domain(number):
    return "d%05d.example" % number


def shard(name):
    return "0" + hashlib.sha256(name.encode()).hexdigest()[0]


def total_bytes(number, days):
    """in, out and forward of the first days, as the report smtp adds them up."""
    sum_of = 0
    for day in days:
        base = (number * 7919 + day * 104729) % 1000003
        sum_of += base * 4 + base % 1009
    return sum_of


class Filled:
    """The days of one month, in UTC, of `domains` domains, all counted by the node mx1."""

    def __init__(self, redis, domains, days, month, prefix="tg"):
        self.domains, self.month, self.prefix = domains, month, prefix
        self.days = range(1, days + 1)
        words = [word for day in self.days for word in ("%s-%02d" % (month, day), month)]
        sha = redis("SCRIPT", "LOAD", FILL)
        for first in range(0, domains, CHUNK):
            names = [domain(n) for n in range(first, min(first + CHUNK, domains))]
            redis("EVALSHA", sha, 0, prefix, "mx1.0badcafe", days, *words, first,
                  *[word for name in names for word in (name, shard(name))])
        self._node(redis)

    def _node(self, redis):
        """It has pushed everything until the end of the days."""
        begin = datetime.datetime.strptime(self.month, "%Y-%m").replace(tzinfo=UTC)
        through = int((begin + datetime.timedelta(days=len(self.days))).timestamp())
        redis("SET", self.prefix + ":schema", "1")
        redis("SADD", self.prefix + ":nodes", "mx1")
        redis("HSET", self.prefix + ":{@mx1}:node", "version", "0.1.0", "started", 1, "seen",
              through, "counted_through", through, "pushed_through", through)

    def largest(self, count):
        """[(total bytes, domain)], the largest first, equal ones by name."""
        sums = [(-total_bytes(n, self.days), domain(n)) for n in range(self.domains)]
        return [(-negative, name) for negative, name in sorted(sums)[:count]]
