#include "web/metrics_counter.h"

#include <inttypes.h>
#include <stdio.h>

#include "lib/core/err.h"

#define MEBI 1048576.0

enum {
    ACCEPTED,
    ACCEPTED_BYTES,
    MESSAGES,
    RECIPIENTS,
    MESSAGE_BYTES,
    BOUNCES_RECEIVED,
    SPAM,
    PRIORITY,
    PRIORITY_BYTES,
    THROTTLED_MESSAGES,
    THROTTLED_RECIPIENTS,
    THROTTLED_BYTES,
    THROTTLED_BOUNCES,
    VIOLATIONS,
    SESSIONS,
    SESSION_SECONDS,
    SESSION_BYTES,
    SESSION_ERRORS,
    STATUS,
    STATUS_CPU,
    STATUS_MEMORY,
    STATUS_HANDLES,
    STATUS_THREADS,
    STATUS_CONNECTIONS,
    STATUS_SPOOL
};

static const struct metrics_family families[] = {
    [ACCEPTED] = {"tollgate_accepted_messages", NULL, NULL, NULL},
    [ACCEPTED_BYTES] = {"tollgate_accepted_message_bytes", NULL, NULL, NULL},
    [MESSAGES] = {"tollgate_messages", "class", NULL,
                  "Messages of each class; a message may be of several."},
    [RECIPIENTS] = {"tollgate_recipients", "class", NULL, "Recipients of each class."},
    [MESSAGE_BYTES] = {"tollgate_message_bytes", "class", NULL,
                       "Bytes of messages of each class; those of out and forward, once per "
                       "destination domain."},
    [BOUNCES_RECEIVED] = {"tollgate_bounces_received", NULL, NULL, NULL},
    [SPAM] = {"tollgate_spam_messages", "class", NULL, "Messages with the spam header."},
    [PRIORITY] = {"tollgate_priority_messages", "priority", NULL,
                  "In, out and forward messages of each priority."},
    [PRIORITY_BYTES] = {"tollgate_priority_message_bytes", "priority", NULL,
                        "Bytes of in, out and forward messages of each priority."},
    [THROTTLED_MESSAGES] = {"tollgate_throttled_messages", "mode", NULL,
                            "Messages that a limit stopped, or only observed, once per attempt."},
    [THROTTLED_RECIPIENTS] = {"tollgate_throttled_recipients", "mode", NULL,
                              "Recipients of messages that a limit stopped, or only observed."},
    [THROTTLED_BYTES] = {"tollgate_throttled_message_bytes", "mode", NULL,
                         "Bytes of messages that a limit stopped, or only observed."},
    [THROTTLED_BOUNCES] = {"tollgate_throttled_bounces", "mode", NULL,
                           "Bounces that a limit stopped, or only observed."},
    [VIOLATIONS] = {"tollgate_violations", "metric", NULL,
                    "Times that a limit on this metric was crossed."},
    [SESSIONS] = {"tollgate_sessions", "protocol", NULL, "Sessions begun."},
    [SESSION_SECONDS] = {"tollgate_session_seconds", "protocol", NULL,
                         "Length of sessions; its rate is the average number of active ones."},
    [SESSION_BYTES] = {"tollgate_session_bytes", "protocol", NULL,
                       "Bytes of sessions; of smtp_out those sent, retries included."},
    [SESSION_ERRORS] = {"tollgate_session_errors", "protocol", "kind",
                        "Errors of sessions, by kind."},
    [STATUS] = {"tollgate_status_seconds", NULL, NULL, NULL},
    [STATUS_CPU] = {"tollgate_status_cpu_seconds", NULL, NULL, "CPU time of the mail services."},
    [STATUS_MEMORY] = {"tollgate_status_memory_byte_seconds", NULL, NULL,
                       "Memory of the mail services, bytes x seconds."},
    [STATUS_HANDLES] = {"tollgate_status_handle_seconds", NULL, NULL, NULL},
    [STATUS_THREADS] = {"tollgate_status_thread_seconds", NULL, NULL, NULL},
    [STATUS_CONNECTIONS] = {"tollgate_status_connection_seconds", NULL, NULL, NULL},
    [STATUS_SPOOL] = {"tollgate_status_spool_seconds", NULL, NULL, NULL},
};

const struct metrics_family *metrics_counter_family(size_t index)
{
    return index < sizeof families / sizeof families[0] ? &families[index] : NULL;
}

/* The first that fits; `*` stands for the label's value. */
static const struct rule {
    const char *pattern;
    int family;
    const char *value, *sub; /* fixed */
    enum metrics_scale scale;
} rules[] = {
    {"messages", ACCEPTED, NULL, NULL, METRICS_AS_IS},
    {"bytes", ACCEPTED_BYTES, NULL, NULL, METRICS_AS_IS},
    {"bounces_received", BOUNCES_RECEIVED, NULL, NULL, METRICS_AS_IS},
    {"*_spam_messages", SPAM, NULL, NULL, METRICS_AS_IS},
    {"priority_*_messages", PRIORITY, NULL, NULL, METRICS_AS_IS},
    {"priority_*_bytes", PRIORITY_BYTES, NULL, NULL, METRICS_AS_IS},
    {"violations_*", VIOLATIONS, NULL, NULL, METRICS_AS_IS},
    {"throttled_messages", THROTTLED_MESSAGES, "enforce", NULL, METRICS_AS_IS},
    {"throttled_recipients", THROTTLED_RECIPIENTS, "enforce", NULL, METRICS_AS_IS},
    {"throttled_bytes", THROTTLED_BYTES, "enforce", NULL, METRICS_AS_IS},
    {"throttled_bounces", THROTTLED_BOUNCES, "enforce", NULL, METRICS_AS_IS},
    {"observed_messages", THROTTLED_MESSAGES, "observe", NULL, METRICS_AS_IS},
    {"observed_recipients", THROTTLED_RECIPIENTS, "observe", NULL, METRICS_AS_IS},
    {"observed_bytes", THROTTLED_BYTES, "observe", NULL, METRICS_AS_IS},
    {"observed_bounces", THROTTLED_BOUNCES, "observe", NULL, METRICS_AS_IS},
    {"status_seconds", STATUS, NULL, NULL, METRICS_AS_IS},
    {"status_cpu_ms", STATUS_CPU, NULL, NULL, METRICS_MILLI},
    {"status_memory_mib_seconds", STATUS_MEMORY, NULL, NULL, METRICS_MEBI},
    {"status_handle_seconds", STATUS_HANDLES, NULL, NULL, METRICS_AS_IS},
    {"status_thread_seconds", STATUS_THREADS, NULL, NULL, METRICS_AS_IS},
    {"status_connection_seconds", STATUS_CONNECTIONS, NULL, NULL, METRICS_AS_IS},
    {"status_spool_seconds", STATUS_SPOOL, NULL, NULL, METRICS_AS_IS},
    {"smtp_out_sent_bytes", SESSION_BYTES, "smtp_out", NULL, METRICS_AS_IS},
    {"pop_bytes", SESSION_BYTES, "pop", NULL, METRICS_AS_IS},
    {"imap_bytes", SESSION_BYTES, "imap", NULL, METRICS_AS_IS},
    {"*_connections", SESSIONS, NULL, NULL, METRICS_AS_IS},
    {"*_sessions", SESSIONS, NULL, NULL, METRICS_AS_IS},
    {"*_connection_seconds", SESSION_SECONDS, NULL, NULL, METRICS_AS_IS},
    {"*_session_seconds", SESSION_SECONDS, NULL, NULL, METRICS_AS_IS},
    {"*_blocked", SESSION_ERRORS, NULL, "blocked", METRICS_AS_IS},
    {"*_bad_commands", SESSION_ERRORS, NULL, "bad_commands", METRICS_AS_IS},
    {"*_terminations", SESSION_ERRORS, NULL, "terminations", METRICS_AS_IS},
    {"*_auth_failed", SESSION_ERRORS, NULL, "auth_failed", METRICS_AS_IS},
    {"*_failed", SESSION_ERRORS, NULL, "failed", METRICS_AS_IS},
    {"*_rejected", SESSION_ERRORS, NULL, "rejected", METRICS_AS_IS},
    {"*_messages", MESSAGES, NULL, NULL, METRICS_AS_IS},
    {"*_recipients", RECIPIENTS, NULL, NULL, METRICS_AS_IS},
    {"*_bytes", MESSAGE_BYTES, NULL, NULL, METRICS_AS_IS},
};

static bool fits(struct slice pattern, struct slice name, struct slice *value)
{
    ptrdiff_t star = slice_find(pattern, '*');
    struct slice before, behind;

    *value = SLICE_NONE;
    if (star < 0)
        return slice_equal(pattern, name);
    before = slice_to(pattern, (size_t)star);
    behind = slice_from(pattern, (size_t)star + 1);
    if (name.len <= before.len + behind.len || !slice_starts(name, before) ||
        !slice_equal(slice_from(name, name.len - behind.len), behind))
        return false;
    *value = slice_to(slice_from(name, before.len), name.len - before.len - behind.len);
    return true;
}

struct metrics_counter metrics_counter(enum counter id)
{
    struct slice name = slice_str(counter_table[id].name), value;

    for (size_t i = 0; i < sizeof rules / sizeof rules[0]; i++) {
        const struct rule *r = &rules[i];

        if (fits(slice_str(r->pattern), name, &value))
            return (struct metrics_counter){.family = (size_t)r->family,
                                            .value = r->value != NULL ? slice_str(r->value) : value,
                                            .sub = r->sub,
                                            .scale = r->scale};
    }
    err_bug(__FILE__, __LINE__, "a counter that is no metric");
}

void metrics_counter_value(const struct metrics_counter *c, uint64_t amount,
                           char text[METRICS_VALUE_TEXT])
{
    if (c->scale == METRICS_MILLI)
        (void)snprintf(text, METRICS_VALUE_TEXT, "%" PRIu64 ".%03u", amount / 1000,
                       (unsigned)(amount % 1000));
    else if (c->scale == METRICS_MEBI)
        (void)snprintf(text, METRICS_VALUE_TEXT, "%.0f", (double)amount * MEBI);
    else
        (void)snprintf(text, METRICS_VALUE_TEXT, "%" PRIu64, amount);
}
