"""Violations in Redis as tollgated writes them (lib/throttle/violation_log)."""

_sequence = 0


def add(redis, at, holder, limit, used, wanted, **more):
    """`limit`: scope/metric/window and maximum, as ("domain/recipients/hour", 600). `more`: user,
    action, retry_after, observed, soft, event, qid, client, sender."""
    global _sequence
    _sequence += 1
    name, maximum = limit
    scope, metric, per = name.split("/")
    ms = int(at.timestamp() * 1000)
    fields = ["time_ms", ms, "domain", holder]
    if more.get("user"):
        fields += ["user", more["user"]]
    fields += ["scope", scope, "metric", metric, "limit", "%d/%s" % (maximum, per), "used", used,
               "wanted", wanted, "action", more.get("action", "defer")]
    if not more.get("soft"):
        fields += ["retry_after", more.get("retry_after", 720)]
    if more.get("observed"):
        fields += ["observed", "yes"]
    fields += ["qid", more.get("qid", "4jWnX03VvBz1cTBS"),
               "client", more.get("client", "192.0.2.1"),
               "from", more.get("sender", "alice@example.com"),
               "event", more.get("event", "soft limit" if more.get("soft") else "violation")]
    for key in ("tg:{%s}:violations" % holder, "tg:violations"):
        redis("XADD", key, "%d-%d" % (ms, _sequence), *fields)
