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

uint64_t report_value(const struct report_column *column, const struct tally *t)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < column->counter_count; i++)
        sum += t->value[column->counters[i]];
    return sum;
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
