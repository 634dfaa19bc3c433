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

enum counter_unit {
    UNIT_MESSAGES,
    UNIT_RECIPIENTS,
    UNIT_BYTES,
    UNIT_BOUNCES,
    UNIT_VIOLATIONS,
    UNIT_SESSIONS, /* connections and what may happen once in one */
    UNIT_COMMANDS,
    UNIT_SECONDS,
    UNIT_AMOUNTS /* others: their help names the unit */
};

/* Which accounts have it, and which program fills it there (counter_filler). */
enum counter_group {
    GROUP_TRAFFIC,
    GROUP_SPAM,
    GROUP_PRIORITY,
    GROUP_THROTTLE,
    GROUP_NODE,
    GROUP_SESSIONS,
    GROUP_SMTP_IN,
    GROUP_FILTERS,
    GROUP_STATUS
};

/* X(id, name, unit, group, help). GROUP_NODE, GROUP_FILTERS and GROUP_STATUS counters are in node
 * accounts only; users have those of GROUP_TRAFFIC, GROUP_THROTTLE, GROUP_SESSIONS and
 * GROUP_SMTP_IN. */
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
    X(BYTES, "bytes", BYTES, NODE, "Bytes of every accepted message, once.")                       \
    X(SMTP_IN_CONNECTIONS, "smtp_in_connections", SESSIONS, SMTP_IN,                               \
      "SMTP sessions of clients; of a domain or user: those that delivered to or sent for it.")    \
    X(SMTP_IN_CONNECTION_SECONDS, "smtp_in_connection_seconds", SECONDS, SMTP_IN,                  \
      "Their length, the whole session's for each domain and user of it.")                         \
    X(SMTP_IN_BLOCKED, "smtp_in_blocked", SESSIONS, SESSIONS,                                      \
      "SMTP sessions whose client or sender was refused, and that delivered nothing.")             \
    X(SMTP_IN_BAD_COMMANDS, "smtp_in_bad_commands", COMMANDS, SESSIONS,                            \
      "Unknown, failed and malformed commands of SMTP clients.")                                   \
    X(SMTP_IN_TERMINATIONS, "smtp_in_terminations", SESSIONS, SESSIONS,                            \
      "SMTP sessions of clients that ended abnormally.")                                           \
    X(SMTP_IN_AUTH_FAILED, "smtp_in_auth_failed", COMMANDS, SESSIONS,                              \
      "Failed logins of SMTP clients.")                                                            \
    X(SMTP_OUT_CONNECTIONS, "smtp_out_connections", SESSIONS, SESSIONS,                            \
      "New connections to other mail servers.")                                                    \
    X(SMTP_OUT_CONNECTION_SECONDS, "smtp_out_connection_seconds", SECONDS, SESSIONS,               \
      "Time spent on connecting and sending to other mail servers.")                               \
    X(SMTP_OUT_FAILED, "smtp_out_failed", SESSIONS, SESSIONS,                                      \
      "Other mail servers that could not be reached.")                                             \
    X(SMTP_OUT_BLOCKED, "smtp_out_blocked", SESSIONS, SESSIONS,                                    \
      "Connections whose greeting or EHLO the other server refused.")                              \
    X(SMTP_OUT_BAD_COMMANDS, "smtp_out_bad_commands", SESSIONS, SESSIONS,                          \
      "Deliveries in which the other server rejected a command as unknown or out of order.")       \
    X(SMTP_OUT_TERMINATIONS, "smtp_out_terminations", SESSIONS, SESSIONS,                          \
      "Connections to other servers that were lost, timed out or failed in TLS.")                  \
    X(SMTP_OUT_REJECTED, "smtp_out_rejected", SESSIONS, SESSIONS,                                  \
      "Deliveries that the other server refused for good: policy, size or unknown user.")          \
    X(SMTP_OUT_SENT_BYTES, "smtp_out_sent_bytes", BYTES, SESSIONS,                                 \
      "Bytes sent to other servers, retries included.")                                            \
    X(POP_CONNECTIONS, "pop_connections", SESSIONS, SESSIONS, "POP sessions.")                     \
    X(POP_CONNECTION_SECONDS, "pop_connection_seconds", SECONDS, SESSIONS,                         \
      "Their length after login.")                                                                 \
    X(POP_BYTES, "pop_bytes", BYTES, SESSIONS, "Bytes of POP sessions, both directions.")          \
    X(POP_BLOCKED, "pop_blocked", SESSIONS, SESSIONS, "POP sessions whose login was refused.")     \
    X(POP_BAD_COMMANDS, "pop_bad_commands", COMMANDS, SESSIONS,                                    \
      "Unknown and malformed commands of POP clients.")                                            \
    X(POP_TERMINATIONS, "pop_terminations", SESSIONS, SESSIONS,                                    \
      "POP sessions that ended abnormally.")                                                       \
    X(POP_AUTH_FAILED, "pop_auth_failed", COMMANDS, SESSIONS, "Failed logins of POP clients.")     \
    X(IMAP_CONNECTIONS, "imap_connections", SESSIONS, SESSIONS, "IMAP sessions.")                  \
    X(IMAP_CONNECTION_SECONDS, "imap_connection_seconds", SECONDS, SESSIONS,                       \
      "Their length after login.")                                                                 \
    X(IMAP_BYTES, "imap_bytes", BYTES, SESSIONS, "Bytes of IMAP sessions, both directions.")       \
    X(IMAP_BLOCKED, "imap_blocked", SESSIONS, SESSIONS, "IMAP sessions whose login was refused.")  \
    X(IMAP_BAD_COMMANDS, "imap_bad_commands", COMMANDS, SESSIONS,                                  \
      "Unknown and malformed commands of IMAP clients.")                                           \
    X(IMAP_TERMINATIONS, "imap_terminations", SESSIONS, SESSIONS,                                  \
      "IMAP sessions that ended abnormally.")                                                      \
    X(IMAP_AUTH_FAILED, "imap_auth_failed", COMMANDS, SESSIONS, "Failed logins of IMAP clients.")  \
    X(SPAMD_CONNECTIONS, "spamd_connections", SESSIONS, FILTERS,                                   \
      "Connections to the spam filter.")                                                           \
    X(SPAMD_CONNECTION_SECONDS, "spamd_connection_seconds", SECONDS, FILTERS, "Their length.")     \
    X(SPAMD_FAILED, "spamd_failed", SESSIONS, FILTERS,                                             \
      "Connections to the spam filter that failed.")                                               \
    X(CLAMD_CONNECTIONS, "clamd_connections", SESSIONS, FILTERS,                                   \
      "Connections to the virus scanner.")                                                         \
    X(CLAMD_CONNECTION_SECONDS, "clamd_connection_seconds", SECONDS, FILTERS, "Their length.")     \
    X(CLAMD_FAILED, "clamd_failed", SESSIONS, FILTERS,                                             \
      "Connections to the virus scanner that failed.")                                             \
    X(STATUS_SECONDS, "status_seconds", SECONDS, STATUS,                                           \
      "Time for which the server's status was watched.")                                           \
    X(STATUS_CPU_MS, "status_cpu_ms", AMOUNTS, STATUS,                                             \
      "CPU time of the mail services, in milliseconds.")                                           \
    X(STATUS_MEMORY_MIB_SECONDS, "status_memory_mib_seconds", AMOUNTS, STATUS,                     \
      "Memory of the mail services, MiB x seconds.")                                               \
    X(STATUS_HANDLE_SECONDS, "status_handle_seconds", AMOUNTS, STATUS,                             \
      "Open file descriptors of the mail services x seconds.")                                     \
    X(STATUS_THREAD_SECONDS, "status_thread_seconds", AMOUNTS, STATUS,                             \
      "Threads of the mail services x seconds.")                                                   \
    X(STATUS_CONNECTION_SECONDS, "status_connection_seconds", AMOUNTS, STATUS,                     \
      "Established connections of the mail services x seconds.")                                   \
    X(STATUS_SPOOL_SECONDS, "status_spool_seconds", AMOUNTS, STATUS,                               \
      "Messages in the mail queue x seconds.")                                                     \
    X(MILTER_SESSIONS, "milter_sessions", SESSIONS, NODE,                                          \
      "Sessions that the MTA opened with the milter.")                                             \
    X(MILTER_SESSION_SECONDS, "milter_session_seconds", SECONDS, NODE, "Their length.")

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

struct slice counter_name(enum counter id);
/* The counter of that name, or -1. */
int counter_find(struct slice name);

/* The same by a hash table, for who looks for millions of names. */
struct counter_index {
    uint8_t slots[256]; /* counter + 1; 0: free */
};
_Static_assert(COUNTER_COUNT < 192, "the slots of struct counter_index are three quarters full");
void counter_index_init(struct counter_index *index);
int counter_index_find(const struct counter_index *index, struct slice name);

/* Do users have it, too? */
bool counter_is_of_users(enum counter id);

/* Which program fills it, in node accounts (is_node) or in those of domains and users: no field of
 * one kind of account is filled by two. */
enum counter_filler { FILLER_NONE, FILLER_MILTER, FILLER_COLLECTOR };
#define FILLERS (FILLER_COLLECTOR + 1)
enum counter_filler counter_filler(enum counter id, bool is_node);

#endif
