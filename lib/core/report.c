#include "lib/core/report.h"

#include <string.h>

#define ONE(id)       .counter_count = 1, .counters = {COUNTER_##id}
#define SUM2(a, b)    .counter_count = 2, .counters = {COUNTER_##a, COUNTER_##b}
#define SUM3(a, b, c) .counter_count = 3, .counters = {COUNTER_##a, COUNTER_##b, COUNTER_##c}
#define SUM4(a, b, c, d)                                                                           \
    .counter_count = 4, .counters = {COUNTER_##a, COUNTER_##b, COUNTER_##c, COUNTER_##d}
#define MESSAGES_TOTAL SUM3(IN_MESSAGES, OUT_MESSAGES, FORWARD_MESSAGES)
#define BYTES_TOTAL    SUM3(IN_BYTES, OUT_BYTES, FORWARD_BYTES)

static const struct report_column smtp_columns[] = {
    {"in_messages", "in", "msgs", true, UNIT_MESSAGES, ONE(IN_MESSAGES)},
    {"in_bytes", "in", "bytes", false, UNIT_BYTES, ONE(IN_BYTES)},
    {"out_messages", "out", "msgs", true, UNIT_MESSAGES, ONE(OUT_MESSAGES)},
    {"out_bytes", "out", "bytes", false, UNIT_BYTES, ONE(OUT_BYTES)},
    {"forward_messages", "forward", "msgs", true, UNIT_MESSAGES, ONE(FORWARD_MESSAGES)},
    {"forward_bytes", "forward", "bytes", false, UNIT_BYTES, ONE(FORWARD_BYTES)},
    {"total_messages", "total", "msgs", true, UNIT_MESSAGES, MESSAGES_TOTAL},
    {"total_bytes", "total", "bytes", false, UNIT_BYTES, BYTES_TOTAL},
};

static const struct report_column message_traffic_columns[] = {
    {"in_messages", "in", "msgs", false, UNIT_MESSAGES, ONE(IN_MESSAGES)},
    {"in_recipients", "in", "rcpts", true, UNIT_RECIPIENTS, ONE(IN_RECIPIENTS)},
    {"out_messages", "out", "msgs", false, UNIT_MESSAGES, ONE(OUT_MESSAGES)},
    {"out_recipients", "out", "rcpts", false, UNIT_RECIPIENTS, ONE(OUT_RECIPIENTS)},
    {"forward_messages", "forward", "msgs", false, UNIT_MESSAGES, ONE(FORWARD_MESSAGES)},
    {"forward_recipients", "forward", "rcpts", true, UNIT_RECIPIENTS, ONE(FORWARD_RECIPIENTS)},
    {"local_sent_messages", "local", "sent", true, UNIT_MESSAGES, ONE(LOCAL_SENT_MESSAGES)},
    {"local_received_messages", "local", "recvd", true, UNIT_MESSAGES,
     ONE(LOCAL_RECEIVED_MESSAGES)},
    {"relay_messages", "", "relay", true, UNIT_MESSAGES, ONE(RELAY_MESSAGES)},
    {"bounces_received", "", "bounces", true, UNIT_BOUNCES, ONE(BOUNCES_RECEIVED)},
    {"total_messages", "", "total", false, UNIT_MESSAGES, MESSAGES_TOTAL},
};

static const struct report_column message_data_columns[] = {
    {"in_bytes", "", "in", false, UNIT_BYTES, ONE(IN_BYTES)},
    {"out_bytes", "", "out", false, UNIT_BYTES, ONE(OUT_BYTES)},
    {"forward_bytes", "", "forward", false, UNIT_BYTES, ONE(FORWARD_BYTES)},
    {"local_sent_bytes", "local", "sent", true, UNIT_BYTES, ONE(LOCAL_SENT_BYTES)},
    {"local_received_bytes", "local", "received", true, UNIT_BYTES, ONE(LOCAL_RECEIVED_BYTES)},
    {"relay_bytes", "", "relay", true, UNIT_BYTES, ONE(RELAY_BYTES)},
    {"total_bytes", "", "total", false, UNIT_BYTES, BYTES_TOTAL},
};

static const struct report_column throttle_traffic_columns[] = {
    {"throttled_messages", "throttled", "msgs", true, UNIT_MESSAGES, ONE(THROTTLED_MESSAGES)},
    {"throttled_recipients", "throttled", "rcpts", false, UNIT_RECIPIENTS,
     ONE(THROTTLED_RECIPIENTS)},
    {"throttled_bytes", "throttled", "bytes", true, UNIT_BYTES, ONE(THROTTLED_BYTES)},
    {"throttled_bounces", "throttled", "bounces", true, UNIT_BOUNCES, ONE(THROTTLED_BOUNCES)},
    {"observed_messages", "observed", "msgs", true, UNIT_MESSAGES, ONE(OBSERVED_MESSAGES)},
    {"observed_recipients", "observed", "rcpts", false, UNIT_RECIPIENTS, ONE(OBSERVED_RECIPIENTS)},
    {"observed_bytes", "observed", "bytes", true, UNIT_BYTES, ONE(OBSERVED_BYTES)},
    {"observed_bounces", "observed", "bounces", true, UNIT_BOUNCES, ONE(OBSERVED_BOUNCES)},
    {"total_recipients", "total", "rcpts", false, UNIT_RECIPIENTS,
     SUM2(THROTTLED_RECIPIENTS, OBSERVED_RECIPIENTS)},
};

static const struct report_column throttle_violations_columns[] = {
    {"violations_messages", "", "messages", false, UNIT_VIOLATIONS, ONE(VIOLATIONS_MESSAGES)},
    {"violations_recipients", "", "recipients", false, UNIT_VIOLATIONS, ONE(VIOLATIONS_RECIPIENTS)},
    {"violations_bytes", "", "bytes", false, UNIT_VIOLATIONS, ONE(VIOLATIONS_BYTES)},
    {"violations_bounces", "", "bounces", false, UNIT_VIOLATIONS, ONE(VIOLATIONS_BOUNCES)},
    {"total_violations", "", "total", false, UNIT_VIOLATIONS,
     SUM4(VIOLATIONS_MESSAGES, VIOLATIONS_RECIPIENTS, VIOLATIONS_BYTES, VIOLATIONS_BOUNCES)},
};

static const struct report_column traffic_by_priority_columns[] = {
    {"priority_high_messages", "", "high", false, UNIT_MESSAGES, ONE(PRIORITY_HIGH_MESSAGES)},
    {"priority_normal_messages", "", "normal", false, UNIT_MESSAGES, ONE(PRIORITY_NORMAL_MESSAGES)},
    {"priority_low_messages", "", "low", false, UNIT_MESSAGES, ONE(PRIORITY_LOW_MESSAGES)},
    {"priority_bulk_messages", "", "bulk", false, UNIT_MESSAGES, ONE(PRIORITY_BULK_MESSAGES)},
    {"total_messages", "", "total", false, UNIT_MESSAGES,
     SUM4(PRIORITY_HIGH_MESSAGES, PRIORITY_NORMAL_MESSAGES, PRIORITY_LOW_MESSAGES,
          PRIORITY_BULK_MESSAGES)},
};

static const struct report_column bandwidth_by_priority_columns[] = {
    {"priority_high_bytes", "", "high", false, UNIT_BYTES, ONE(PRIORITY_HIGH_BYTES)},
    {"priority_normal_bytes", "", "normal", false, UNIT_BYTES, ONE(PRIORITY_NORMAL_BYTES)},
    {"priority_low_bytes", "", "low", false, UNIT_BYTES, ONE(PRIORITY_LOW_BYTES)},
    {"priority_bulk_bytes", "", "bulk", false, UNIT_BYTES, ONE(PRIORITY_BULK_BYTES)},
    {"total_bytes", "", "total", false, UNIT_BYTES,
     SUM4(PRIORITY_HIGH_BYTES, PRIORITY_NORMAL_BYTES, PRIORITY_LOW_BYTES, PRIORITY_BULK_BYTES)},
};

#define SECONDS(name, id)                                                                          \
    {                                                                                              \
        name, "", "seconds", true, UNIT_SECONDS, ONE(id), .raw = true                              \
    }
#define ACTIVE(name, id)                                                                           \
    {                                                                                              \
        name, "", "avg active", false, UNIT_SESSIONS, ONE(id), .kind = COLUMN_AVERAGE              \
    }

static const struct report_column smtp_in_usage_columns[] = {
    {"in_messages", "", "msgs", true, UNIT_MESSAGES, ONE(IN_MESSAGES)},
    {"smtp_in_connections", "", "connections", false, UNIT_SESSIONS, ONE(SMTP_IN_CONNECTIONS)},
    SECONDS("smtp_in_connection_seconds", SMTP_IN_CONNECTION_SECONDS),
    ACTIVE("smtp_in_average_active", SMTP_IN_CONNECTION_SECONDS),
    {"in_bytes", "", "bandwidth", false, UNIT_BYTES, ONE(IN_BYTES)},
};

static const struct report_column smtp_in_errors_columns[] = {
    {"smtp_in_connections", "", "connections", true, UNIT_SESSIONS, ONE(SMTP_IN_CONNECTIONS)},
    {"smtp_in_bad_commands", "", "bad commands", false, UNIT_COMMANDS, ONE(SMTP_IN_BAD_COMMANDS)},
    {"smtp_in_terminations", "", "terminations", false, UNIT_SESSIONS, ONE(SMTP_IN_TERMINATIONS)},
    {"smtp_in_auth_failed", "", "failed logins", false, UNIT_COMMANDS, ONE(SMTP_IN_AUTH_FAILED)},
    {"smtp_in_blocked", "", "blocked", false, UNIT_SESSIONS, ONE(SMTP_IN_BLOCKED)},
};

static const struct report_column smtp_out_usage_columns[] = {
    {"smtp_out_connections", "", "connections", false, UNIT_SESSIONS, ONE(SMTP_OUT_CONNECTIONS)},
    SECONDS("smtp_out_connection_seconds", SMTP_OUT_CONNECTION_SECONDS),
    ACTIVE("smtp_out_average_active", SMTP_OUT_CONNECTION_SECONDS),
    {"out_bytes", "", "out", true, UNIT_BYTES, ONE(OUT_BYTES)},
    {"forward_bytes", "", "forward", true, UNIT_BYTES, ONE(FORWARD_BYTES)},
    {"total_out_bytes", "", "bandwidth", false, UNIT_BYTES, SUM2(OUT_BYTES, FORWARD_BYTES)},
};

static const struct report_column smtp_out_errors_columns[] = {
    {"smtp_out_failed", "", "failed", false, UNIT_SESSIONS, ONE(SMTP_OUT_FAILED)},
    {"smtp_out_bad_commands", "", "bad commands", false, UNIT_SESSIONS, ONE(SMTP_OUT_BAD_COMMANDS)},
    {"smtp_out_terminations", "", "terminations", false, UNIT_SESSIONS, ONE(SMTP_OUT_TERMINATIONS)},
    {"smtp_out_rejected", "", "rejected", false, UNIT_SESSIONS, ONE(SMTP_OUT_REJECTED)},
    {"smtp_out_blocked", "", "blocked", false, UNIT_SESSIONS, ONE(SMTP_OUT_BLOCKED)},
};

static const struct report_column smtp_out_sessions_columns[] = {
    {"smtp_out_blocked", "", "blocked", false, UNIT_SESSIONS, ONE(SMTP_OUT_BLOCKED)},
    {"smtp_out_bad_commands", "", "bad commands", false, UNIT_SESSIONS, ONE(SMTP_OUT_BAD_COMMANDS)},
    {"smtp_out_terminations", "", "ended", true, UNIT_SESSIONS, ONE(SMTP_OUT_TERMINATIONS),
     .raw = true},
    {"smtp_out_rejected", "", "rejected", true, UNIT_SESSIONS, ONE(SMTP_OUT_REJECTED), .raw = true},
    {"total_terminations", "", "terminations", false, UNIT_SESSIONS,
     SUM2(SMTP_OUT_TERMINATIONS, SMTP_OUT_REJECTED)},
    {"smtp_out_connections", "", "sessions", false, UNIT_SESSIONS, ONE(SMTP_OUT_CONNECTIONS)},
};

static const struct report_column smtp_out_connections_columns[] = {
    {"smtp_out_failed", "", "failed", false, UNIT_SESSIONS, ONE(SMTP_OUT_FAILED)},
    SECONDS("smtp_out_connection_seconds", SMTP_OUT_CONNECTION_SECONDS),
    ACTIVE("smtp_out_average_active", SMTP_OUT_CONNECTION_SECONDS),
    {"smtp_out_connections", "", "new", false, UNIT_SESSIONS, ONE(SMTP_OUT_CONNECTIONS)},
};

#define MAILBOX_USAGE(name, id)                                                                    \
    {name "_connections", "", "connections", false, UNIT_SESSIONS, ONE(id##_CONNECTIONS)},         \
        SECONDS(name "_connection_seconds", id##_CONNECTION_SECONDS),                              \
        ACTIVE(name "_average_active", id##_CONNECTION_SECONDS),                                   \
    {                                                                                              \
        name "_bytes", "", "bandwidth", false, UNIT_BYTES, ONE(id##_BYTES)                         \
    }
#define MAILBOX_ERRORS(name, id)                                                                   \
    {name "_connections", "", "connections", true, UNIT_SESSIONS, ONE(id##_CONNECTIONS)},          \
        {name "_bad_commands", "", "bad commands", false, UNIT_COMMANDS, ONE(id##_BAD_COMMANDS)},  \
        {name "_terminations", "", "terminations", false, UNIT_SESSIONS, ONE(id##_TERMINATIONS)},  \
        {name "_auth_failed", "", "failed logins", false, UNIT_COMMANDS, ONE(id##_AUTH_FAILED)},   \
    {                                                                                              \
        name "_blocked", "", "blocked", false, UNIT_SESSIONS, ONE(id##_BLOCKED)                    \
    }
#define FILTER(name, id)                                                                           \
    {name "_failed", "", "failed", false, UNIT_SESSIONS, ONE(id##_FAILED)},                        \
        SECONDS(name "_connection_seconds", id##_CONNECTION_SECONDS),                              \
        ACTIVE(name "_average_active", id##_CONNECTION_SECONDS),                                   \
    {                                                                                              \
        name "_connections", "", "connections", false, UNIT_SESSIONS, ONE(id##_CONNECTIONS)        \
    }
static const struct report_column pop_usage_columns[] = {MAILBOX_USAGE("pop", POP)};
static const struct report_column pop_errors_columns[] = {MAILBOX_ERRORS("pop", POP)};
static const struct report_column imap_usage_columns[] = {MAILBOX_USAGE("imap", IMAP)};
static const struct report_column imap_errors_columns[] = {MAILBOX_ERRORS("imap", IMAP)};
static const struct report_column spamassassin_columns[] = {FILTER("spamd", SPAMD)};
static const struct report_column clamav_columns[] = {FILTER("clamd", CLAMD)};

/* Milliseconds a second are tenths of a percent of one CPU. */
#define STATUS(name, head, per, id)                                                                \
    {                                                                                              \
        name, "", head, false, UNIT_AMOUNTS, ONE(id), .kind = COLUMN_MEAN, .divisor = per          \
    }
static const struct report_column server_status_columns[] = {
    {"status_seconds", "", "seconds", true, UNIT_SECONDS, ONE(STATUS_SECONDS), .raw = true},
    STATUS("status_memory_mib", "memory MiB", 1, STATUS_MEMORY_MIB_SECONDS),
    STATUS("status_handles", "handles", 1, STATUS_HANDLE_SECONDS),
    STATUS("status_threads", "threads", 1, STATUS_THREAD_SECONDS),
    STATUS("status_connections", "connections", 1, STATUS_CONNECTION_SECONDS),
    STATUS("status_spool", "spool", 1, STATUS_SPOOL_SECONDS),
    STATUS("status_cpu_percent", "CPU %", 10, STATUS_CPU_MS),
};

/* The columns of `totals` come from the counters' table, without those that only nodes have
 * and those of sessions. */
#define PICK_TRAFFIC(...)  __VA_ARGS__
#define PICK_SPAM(...)     __VA_ARGS__
#define PICK_PRIORITY(...) __VA_ARGS__
#define PICK_THROTTLE(...) __VA_ARGS__
#define PICK_NODE(...)
#define PICK_SMTP_IN(...)
#define PICK_SESSIONS(...)
#define PICK_FILTERS(...)
#define PICK_STATUS(...)
#define TOTALS_COLUMN(id, name, unit, group, help)                                                 \
    PICK_##group({name, "", name, false, UNIT_##unit, ONE(id)}, )
static const struct report_column totals_columns[] = {COUNTERS(TOTALS_COLUMN)};

#define COLUMNS(list) list, sizeof(list) / sizeof((list)[0])

static const struct report_kind kinds[] = {
    {"smtp", "SMTP traffic", "messages and bytes: in, out, forward, total", COLUMNS(smtp_columns)},
    {"message-traffic", "Message traffic",
     "messages and recipients of every class, bounces received", COLUMNS(message_traffic_columns)},
    {"message-data", "Message data", "bytes of every class", COLUMNS(message_data_columns)},
    {"throttle-traffic", "Throttled traffic", "what limits stopped, or would have (observed)",
     COLUMNS(throttle_traffic_columns)},
    {"throttle-violations", "Throttle violations",
     "times a limit of messages, recipients, bytes, bounces was crossed",
     COLUMNS(throttle_violations_columns)},
    {"traffic-by-priority", "Messages by priority",
     "in, out and forward messages by their priority", COLUMNS(traffic_by_priority_columns)},
    {"bandwidth-by-priority", "Bytes by priority", "in, out and forward bytes by their priority",
     COLUMNS(bandwidth_by_priority_columns)},
    {"smtp-in-usage", "SMTP in, usage", "SMTP sessions of clients, bandwidth of incoming mail",
     COLUMNS(smtp_in_usage_columns)},
    {"smtp-in-errors", "SMTP in, errors", "SMTP sessions of clients that went wrong",
     COLUMNS(smtp_in_errors_columns)},
    {"smtp-out-usage", "SMTP out, usage", "connections to other servers, bandwidth of sent mail",
     COLUMNS(smtp_out_usage_columns)},
    {"smtp-out-errors", "SMTP out, errors", "connections to other servers that went wrong",
     COLUMNS(smtp_out_errors_columns)},
    {"smtp-out-sessions", "SMTP out, sessions", "how sessions with other servers ended",
     COLUMNS(smtp_out_sessions_columns)},
    {"smtp-out-connections", "SMTP out, connections", "new, failed and active connections",
     COLUMNS(smtp_out_connections_columns)},
    {"pop-usage", "POP, usage", "POP sessions and their bandwidth", COLUMNS(pop_usage_columns)},
    {"pop-errors", "POP, errors", "POP sessions that went wrong", COLUMNS(pop_errors_columns)},
    {"imap-usage", "IMAP, usage", "IMAP sessions and their bandwidth", COLUMNS(imap_usage_columns)},
    {"imap-errors", "IMAP, errors", "IMAP sessions that went wrong", COLUMNS(imap_errors_columns)},
    {"spamassassin", "Spam filter", "connections to the spam filter, by node",
     COLUMNS(spamassassin_columns)},
    {"clamav", "Virus scanner", "connections to ClamAV, by node", COLUMNS(clamav_columns)},
    {"server-status", "Server status", "CPU, memory and spool of the mail services, by node",
     COLUMNS(server_status_columns)},
};

const struct report_kind *report_at(size_t index)
{
    return index < sizeof kinds / sizeof kinds[0] ? &kinds[index] : NULL;
}

const struct report_kind *report_find(struct slice name)
{
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        if (slice_equal(name, slice_str(kinds[i].name)))
            return &kinds[i];
    }
    return NULL;
}

const struct report_kind *report_totals(void)
{
    static const struct report_kind totals = {"totals", "Totals", "every counter of every account",
                                              COLUMNS(totals_columns)};

    return &totals;
}

static uint64_t counters_sum(const struct report_column *column, const struct tally *t)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < column->counter_count; i++)
        sum += t->value[column->counters[i]];
    return sum;
}

/* In millionths. Exact up to 2^53 seconds, which is enough for what is shown with one decimal. */
static uint64_t quotient(uint64_t sum, uint64_t divisor)
{
    if (divisor == 0)
        return REPORT_UNKNOWN;
    return (uint64_t)((double)sum / (double)divisor * (double)REPORT_MILLION + 0.5);
}

uint64_t report_value_add(uint64_t a, uint64_t b)
{
    if (a == REPORT_UNKNOWN || b == REPORT_UNKNOWN)
        return a == REPORT_UNKNOWN ? b : a;
    return a + b;
}

enum counter_filler report_filler(const struct report_column *column, bool is_node)
{
    return counter_filler(column->counters[0], is_node);
}

bool report_is_of_sessions(enum counter id)
{
    return id == COUNTER_SMTP_IN_CONNECTIONS || id == COUNTER_SMTP_IN_CONNECTION_SECONDS;
}

/* Of a column of the node's SMTP sessions, as the milter saw them. */
static uint64_t milter_sum(const struct report_column *column, const struct tally *t)
{
    return t->value[column->counters[0] == COUNTER_SMTP_IN_CONNECTIONS
                        ? COUNTER_MILTER_SESSIONS
                        : COUNTER_MILTER_SESSION_SECONDS];
}

static struct report_cell cell_of(const struct report_column *column, const struct tally *t,
                                  const struct report_basis *basis)
{
    bool by_milter = basis->by_milter && report_is_of_sessions(column->counters[0]);
    enum counter_filler filler = by_milter ? FILLER_MILTER : report_filler(column, basis->is_node);
    uint64_t sum = by_milter ? milter_sum(column, t) : counters_sum(column, t);
    struct report_cell cell = {sum, sum};

    if (filler == FILLER_COLLECTOR && sum == 0 && basis->covered[filler] == 0)
        return (struct report_cell){REPORT_UNKNOWN, REPORT_UNKNOWN};
    if (column->kind == COLUMN_AVERAGE) {
        cell.value = quotient(sum, basis->covered[filler]);
        cell.share = quotient(sum, basis->covered_range[filler]);
    } else if (column->kind == COLUMN_MEAN) {
        cell.value = quotient(sum, t->value[COUNTER_STATUS_SECONDS] * column->divisor);
        cell.share = quotient(sum, basis->watched_range * column->divisor);
    }
    return cell;
}

void report_cells_init(const struct report_kind *kind, struct report_cell *cells)
{
    for (size_t c = 0; c < kind->column_count; c++)
        cells[c] = (struct report_cell){REPORT_UNKNOWN, REPORT_UNKNOWN};
}

void report_cells_add(const struct report_kind *kind, const struct tally *t,
                      const struct report_basis *basis, struct report_cell *cells)
{
    for (size_t c = 0; c < kind->column_count; c++) {
        struct report_cell cell;

        if (basis->bounds != NULL && basis->bounds[c] == BOUND_UNKNOWN)
            continue;
        cell = cell_of(&kind->columns[c], t, basis);
        cells[c].value = report_value_add(cells[c].value, cell.value);
        cells[c].share = report_value_add(cells[c].share, cell.share);
    }
}

struct report_fillers report_fillers(const struct report_kind *kind, bool is_node)
{
    struct report_fillers fillers = {false, false, false};
    struct counter_list list;

    report_counters(kind, &list);
    for (size_t i = 0; i < list.count; i++) {
        enum counter_filler filler = counter_filler(list.ids[i], is_node);

        fillers.milter = fillers.milter || filler == FILLER_MILTER;
        fillers.collector = fillers.collector || filler == FILLER_COLLECTOR;
        fillers.nobody = fillers.nobody || filler == FILLER_NONE;
    }
    return fillers;
}

bool report_is_of_users(const struct report_kind *kind)
{
    struct counter_list list;

    report_counters(kind, &list);
    for (size_t i = 0; i < list.count; i++) {
        if (!counter_is_of_users(list.ids[i]))
            return false;
    }
    return true;
}

void report_counters(const struct report_kind *kind, struct counter_list *out)
{
    bool wanted[COUNTER_COUNT] = {false};

    for (size_t c = 0; c < kind->column_count; c++) {
        for (size_t i = 0; i < kind->columns[c].counter_count; i++)
            wanted[kind->columns[c].counters[i]] = true;
    }
    out->count = 0;
    for (size_t id = 0; id < COUNTER_COUNT; id++) {
        if (wanted[id])
            out->ids[out->count++] = (enum counter)id;
    }
}
