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
    X(IN_MESSAGES, "in_messages", MESSAGES, TRAFFIC,                                               \
      "Messages from outside to hosted recipients.")                                               \
    X(IN_RECIPIENTS, "in_recipients", RECIPIENTS, TRAFFIC, "Hosted recipients of these messages.") \
    X(IN_BYTES, "in_bytes", BYTES, TRAFFIC, "Bytes of these messages, once per account.")          \
    X(OUT_MESSAGES, "out_messages", MESSAGES, TRAFFIC,                                             \
      "Messages sent to recipients on other servers.")                                             \
    X(OUT_RECIPIENTS, "out_recipients", RECIPIENTS, TRAFFIC,                                       \
      "Recipients of these messages on other servers.")                                            \
    X(OUT_BYTES, "out_bytes", BYTES, TRAFFIC,                                                      \
      "Bytes of these messages, once per destination domain.")                                     \
    X(FORWARD_MESSAGES, "forward_messages", MESSAGES, TRAFFIC,                                     \
      "Messages passed on to other servers by a forwarder or redirect.")                           \
    X(FORWARD_RECIPIENTS, "forward_recipients", RECIPIENTS, TRAFFIC,                               \
      "Targets of these messages on other servers.")                                               \
    X(FORWARD_BYTES, "forward_bytes", BYTES, TRAFFIC,                                              \
      "Bytes of these messages, once per destination domain.")                                     \
    X(RELAY_MESSAGES, "relay_messages", MESSAGES, TRAFFIC,                                         \
      "Messages from outside to recipients that are not hosted.")                                  \
    X(RELAY_RECIPIENTS, "relay_recipients", RECIPIENTS, TRAFFIC,                                   \
      "Recipients of these messages that are not hosted.")                                         \
    X(RELAY_BYTES, "relay_bytes", BYTES, TRAFFIC, "Bytes of these messages, once per message.")    \
    X(LOCAL_SENT_MESSAGES, "local_sent_messages", MESSAGES, TRAFFIC,                               \
      "Messages sent to hosted recipients. Not SMTP traffic.")                                     \
    X(LOCAL_SENT_RECIPIENTS, "local_sent_recipients", RECIPIENTS, TRAFFIC,                         \
      "Hosted recipients of these messages.")                                                      \
    X(LOCAL_SENT_BYTES, "local_sent_bytes", BYTES, TRAFFIC,                                        \
      "Bytes of these messages, once per message.")                                                \
    X(LOCAL_RECEIVED_MESSAGES, "local_received_messages", MESSAGES, TRAFFIC,                       \
      "Messages received from users of this server. Not SMTP traffic.")                            \
    X(LOCAL_RECEIVED_RECIPIENTS, "local_received_recipients", RECIPIENTS, TRAFFIC,                 \
      "Hosted recipients of these messages.")                                                      \
    X(LOCAL_RECEIVED_BYTES, "local_received_bytes", BYTES, TRAFFIC,                                \
      "Bytes of these messages, once per account.")                                                \
    X(BOUNCES_RECEIVED, "bounces_received", BOUNCES, TRAFFIC,                                      \
      "Messages from the null sender to hosted recipients.")                                       \
    X(IN_SPAM_MESSAGES, "in_spam_messages", MESSAGES, SPAM,                                        \
      "Incoming messages with the spam header.")                                                   \
    X(OUT_SPAM_MESSAGES, "out_spam_messages", MESSAGES, SPAM,                                      \
      "Outgoing messages with the spam header.")                                                   \
    X(PRIORITY_HIGH_MESSAGES, "priority_high_messages", MESSAGES, PRIORITY,                        \
      "In, out and forward messages of high priority.")                                            \
    X(PRIORITY_HIGH_BYTES, "priority_high_bytes", BYTES, PRIORITY, "Bytes of these messages.")     \
    X(PRIORITY_NORMAL_MESSAGES, "priority_normal_messages", MESSAGES, PRIORITY,                    \
      "In, out and forward messages of normal priority.")                                          \
    X(PRIORITY_NORMAL_BYTES, "priority_normal_bytes", BYTES, PRIORITY, "Bytes of these messages.") \
    X(PRIORITY_LOW_MESSAGES, "priority_low_messages", MESSAGES, PRIORITY,                          \
      "In, out and forward messages of low priority.")                                             \
    X(PRIORITY_LOW_BYTES, "priority_low_bytes", BYTES, PRIORITY, "Bytes of these messages.")       \
    X(PRIORITY_BULK_MESSAGES, "priority_bulk_messages", MESSAGES, PRIORITY,                        \
      "In, out and forward bulk messages.")                                                        \
    X(PRIORITY_BULK_BYTES, "priority_bulk_bytes", BYTES, PRIORITY, "Bytes of these messages.")     \
    X(THROTTLED_MESSAGES, "throttled_messages", MESSAGES, THROTTLE,                                \
      "Out and forward messages that a limit held, deferred or rejected, once per attempt.")       \
    X(THROTTLED_RECIPIENTS, "throttled_recipients", RECIPIENTS, THROTTLE,                          \
      "Recipients of these messages, and those refused at RCPT.")                                  \
    X(THROTTLED_BYTES, "throttled_bytes", BYTES, THROTTLE, "Bytes of these messages.")             \
    X(THROTTLED_BOUNCES, "throttled_bounces", BOUNCES, THROTTLE,                                   \
      "Bounces that a limit held, deferred or rejected, once per attempt.")                        \
    X(OBSERVED_MESSAGES, "observed_messages", MESSAGES, THROTTLE,                                  \
      "Out and forward messages that were accepted, but that an enforced limit would have "        \
      "stopped.")                                                                                  \
    X(OBSERVED_RECIPIENTS, "observed_recipients", RECIPIENTS, THROTTLE,                            \
      "Recipients of these messages.")                                                             \
    X(OBSERVED_BYTES, "observed_bytes", BYTES, THROTTLE, "Bytes of these messages.")               \
    X(OBSERVED_BOUNCES, "observed_bounces", BOUNCES, THROTTLE,                                     \
      "Bounces that were accepted, but that an enforced limit would have stopped.")                \
    X(VIOLATIONS_MESSAGES, "violations_messages", VIOLATIONS, THROTTLE,                            \
      "Times that a limit on messages was crossed.")                                               \
    X(VIOLATIONS_RECIPIENTS, "violations_recipients", VIOLATIONS, THROTTLE,                        \
      "Times that a limit on recipients was crossed.")                                             \
    X(VIOLATIONS_BYTES, "violations_bytes", VIOLATIONS, THROTTLE,                                  \
      "Times that a limit on bytes was crossed.")                                                  \
    X(VIOLATIONS_BOUNCES, "violations_bounces", VIOLATIONS, THROTTLE,                              \
      "Times that a limit on bounces was crossed.")                                                \
    X(MESSAGES, "messages", MESSAGES, NODE, "Every accepted message, once.")                       \
    X(BYTES, "bytes", BYTES, NODE, "Bytes of every accepted message, once.")

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
