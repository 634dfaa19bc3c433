"""What a message must make of the counters, and the check that it made exactly that.

    traffic = Traffic(redis)
    with traffic.message("in", 1000, {"example.com": [leg("in", 1, 1000)]}):
        ... send it ...
"""

import contextlib

import tap
import tollgated

CLASSED = ("in", "out", "forward")  # these have a priority
ONCE = ("in", "local_sent", "local_received", "relay")  # the node counts these bytes once a message


def leg(kind, recipients, size, priority="normal", bounces=0, spam=False):
    """One class of one message, for one account: kind -> counters."""
    fields = {kind + "_messages": 1, kind + "_recipients": recipients, kind + "_bytes": size}
    if kind in CLASSED:
        fields["priority_%s_messages" % priority] = 1
        fields["priority_%s_bytes" % priority] = size
    if bounces:
        fields["bounces_received"] = bounces
    if spam:
        fields[kind + "_spam_messages"] = 1
    return kind, fields


def added(*tallies):
    out = {}
    for tally in tallies:
        for name, amount in tally.items():
            out[name] = out.get(name, 0) + amount
    return out


def node_of(accounts, size):
    """The node's counters: the message once a class, whoever is charged."""
    kinds = {}
    for legs in accounts.values():
        for kind, fields in legs:
            kinds[kind] = added(kinds.get(kind, {}), fields)
    out = {"messages": 1, "bytes": size}
    for kind, fields in kinds.items():
        for name in fields:
            if name.endswith("_messages") or name == "bounces_received":
                fields[name] = 1
            elif name.endswith("_bytes") and kind in ONCE:
                fields[name] = size
        out = added(out, fields)
    return out


def expected(accounts, size):
    out = {account: added(*[fields for _, fields in legs]) for account, legs in accounts.items()}
    out["@" + tollgated.NODE] = node_of(accounts, size)
    return out


class Traffic:
    def __init__(self, redis):
        self.redis = redis

    @contextlib.contextmanager
    def message(self, name, size, accounts):
        """What is sent inside makes exactly these changes; size may be a function called after."""
        with self.changes(name, 1) as wanted:
            yield
            wanted.append(lambda: expected(*evaluated(accounts, size)))

    @contextlib.contextmanager
    def changes(self, name, messages):
        """For several messages: the body appends functions that give the changes expected."""
        before = tollgated.counted(self.redis)
        number = tollgated.node_messages(self.redis)
        wanted = []
        yield wanted
        tollgated.wait_counted(self.redis, number + messages)
        got = tollgated.difference(before, tollgated.counted(self.redis))
        want = {}
        for make in wanted:
            for account, fields in make().items():
                want[account] = added(want.get(account, {}), fields)
        self.compare(name, got, want)

    @staticmethod
    def compare(name, got, want):
        if got == want:
            tap.ok(True, name)
            return
        lines = []
        for account in sorted(set(got) | set(want)):
            have, need = got.get(account, {}), want.get(account, {})
            for field in sorted(set(have) | set(need)):
                if have.get(field) != need.get(field):
                    lines.append("%s %s: got %s, want %s" % (
                        account, field, have.get(field), need.get(field)))
        tap.none(lines, name)


def evaluated(accounts, size):
    """Both may be functions: of nothing, and of the size."""
    size = size() if callable(size) else size
    return (accounts(size) if callable(accounts) else accounts), size
