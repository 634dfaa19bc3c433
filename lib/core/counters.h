#ifndef TG_CORE_COUNTERS_H
#define TG_CORE_COUNTERS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/slice.h"

/*
 * The one table of counters. Redis fields, ledger rows, CSV columns, reports, metrics and the
 * manual take their names from here, and nothing else names a counter.
 *
 * The numbers are for memory only: what is stored holds names.
 */

enum counter_unit { UNIT_MESSAGES, UNIT_RECIPIENTS, UNIT_BYTES, UNIT_BOUNCES, UNIT_VIOLATIONS };

enum counter_group { GROUP_TRAFFIC, GROUP_SPAM, GROUP_PRIORITY, GROUP_THROTTLE, GROUP_NODE };

/* X(id, name, unit, group, help). GROUP_NODE counters are in node accounts only; users have those
 * of GROUP_TRAFFIC and GROUP_THROTTLE. */
#define COUNTERS(X)                                                                                \
    X(IN_MESSAGES, "in_messages", MESSAGES, TRAFFIC, "messages from outside to hosted recipients") \
    X(IN_RECIPIENTS, "in_recipients", RECIPIENTS, TRAFFIC, "their hosted recipients")              \
    X(IN_BYTES, "in_bytes", BYTES, TRAFFIC, "their bytes, once an account")                        \
    X(OUT_MESSAGES, "out_messages", MESSAGES, TRAFFIC, "messages sent to recipients elsewhere")    \
    X(OUT_RECIPIENTS, "out_recipients", RECIPIENTS, TRAFFIC, "their recipients elsewhere")         \
    X(OUT_BYTES, "out_bytes", BYTES, TRAFFIC, "their bytes, once a destination domain")            \
    X(FORWARD_MESSAGES, "forward_messages", MESSAGES, TRAFFIC,                                     \
      "messages passed on to other servers by a forwarder")                                        \
    X(FORWARD_RECIPIENTS, "forward_recipients", RECIPIENTS, TRAFFIC, "their targets elsewhere")    \
    X(FORWARD_BYTES, "forward_bytes", BYTES, TRAFFIC, "their bytes, once a destination domain")    \
    X(RELAY_MESSAGES, "relay_messages", MESSAGES, TRAFFIC,                                         \
      "messages from outside to recipients that are not hosted")                                   \
    X(RELAY_RECIPIENTS, "relay_recipients", RECIPIENTS, TRAFFIC, "their recipients")               \
    X(RELAY_BYTES, "relay_bytes", BYTES, TRAFFIC, "their bytes, once a message")                   \
    X(LOCAL_SENT_MESSAGES, "local_sent_messages", MESSAGES, TRAFFIC,                               \
      "messages sent to hosted recipients (not SMTP traffic)")                                     \
    X(LOCAL_SENT_RECIPIENTS, "local_sent_recipients", RECIPIENTS, TRAFFIC, "their recipients")     \
    X(LOCAL_SENT_BYTES, "local_sent_bytes", BYTES, TRAFFIC, "their bytes, once a message")         \
    X(LOCAL_RECEIVED_MESSAGES, "local_received_messages", MESSAGES, TRAFFIC,                       \
      "messages received from this server's own users (not SMTP traffic)")                         \
    X(LOCAL_RECEIVED_RECIPIENTS, "local_received_recipients", RECIPIENTS, TRAFFIC,                 \
      "their recipients")                                                                          \
    X(LOCAL_RECEIVED_BYTES, "local_received_bytes", BYTES, TRAFFIC,                                \
      "their bytes, once an account")                                                              \
    X(BOUNCES_RECEIVED, "bounces_received", BOUNCES, TRAFFIC,                                      \
      "messages from the null sender to hosted recipients")                                        \
    X(IN_SPAM_MESSAGES, "in_spam_messages", MESSAGES, SPAM, "in messages with the spam header")    \
    X(OUT_SPAM_MESSAGES, "out_spam_messages", MESSAGES, SPAM, "out messages with the spam header") \
    X(PRIORITY_HIGH_MESSAGES, "priority_high_messages", MESSAGES, PRIORITY,                        \
      "in, out and forward messages of high priority")                                             \
    X(PRIORITY_HIGH_BYTES, "priority_high_bytes", BYTES, PRIORITY, "their bytes")                  \
    X(PRIORITY_NORMAL_MESSAGES, "priority_normal_messages", MESSAGES, PRIORITY,                    \
      "in, out and forward messages of normal priority")                                           \
    X(PRIORITY_NORMAL_BYTES, "priority_normal_bytes", BYTES, PRIORITY, "their bytes")              \
    X(PRIORITY_LOW_MESSAGES, "priority_low_messages", MESSAGES, PRIORITY,                          \
      "in, out and forward messages of low priority")                                              \
    X(PRIORITY_LOW_BYTES, "priority_low_bytes", BYTES, PRIORITY, "their bytes")                    \
    X(PRIORITY_BULK_MESSAGES, "priority_bulk_messages", MESSAGES, PRIORITY,                        \
      "in, out and forward messages sent in bulk")                                                 \
    X(PRIORITY_BULK_BYTES, "priority_bulk_bytes", BYTES, PRIORITY, "their bytes")                  \
    X(THROTTLED_MESSAGES, "throttled_messages", MESSAGES, THROTTLE,                                \
      "out and forward messages held, deferred or refused by a limit, each attempt")               \
    X(THROTTLED_RECIPIENTS, "throttled_recipients", RECIPIENTS, THROTTLE, "their recipients")      \
    X(THROTTLED_BYTES, "throttled_bytes", BYTES, THROTTLE, "their bytes")                          \
    X(THROTTLED_BOUNCES, "throttled_bounces", BOUNCES, THROTTLE,                                   \
      "bounces held, deferred or refused by a limit, each attempt")                                \
    X(OBSERVED_MESSAGES, "observed_messages", MESSAGES, THROTTLE,                                  \
      "out and forward messages let through that a limit that acts would have stopped")            \
    X(OBSERVED_RECIPIENTS, "observed_recipients", RECIPIENTS, THROTTLE, "their recipients")        \
    X(OBSERVED_BYTES, "observed_bytes", BYTES, THROTTLE, "their bytes")                            \
    X(OBSERVED_BOUNCES, "observed_bounces", BOUNCES, THROTTLE,                                     \
      "bounces let through that a limit that acts would have stopped")                             \
    X(VIOLATIONS_MESSAGES, "violations_messages", VIOLATIONS, THROTTLE,                            \
      "times a limit of messages was crossed")                                                     \
    X(VIOLATIONS_RECIPIENTS, "violations_recipients", VIOLATIONS, THROTTLE,                        \
      "times a limit of recipients was crossed")                                                   \
    X(VIOLATIONS_BYTES, "violations_bytes", VIOLATIONS, THROTTLE,                                  \
      "times a limit of bytes was crossed")                                                        \
    X(VIOLATIONS_BOUNCES, "violations_bounces", VIOLATIONS, THROTTLE,                              \
      "times a limit of bounces was crossed")                                                      \
    X(MESSAGES, "messages", MESSAGES, NODE, "every message let through, once")                     \
    X(BYTES, "bytes", BYTES, NODE, "the bytes of every message let through, once")

enum counter {
#define X(id, name, unit, group, help) COUNTER_##id,
    COUNTERS(X)
#undef X
        COUNTER_COUNT
};

struct counter_info {
    const char *name;
    enum counter_unit unit;
    enum counter_group group;
    const char *help;
};

extern const struct counter_info counter_table[COUNTER_COUNT];

/* The counter of that name, or -1. */
int counter_find(struct slice name);
/* Do users have it, too? */
bool counter_is_of_users(enum counter id);

#endif
