#include "web/metrics.h"

#include <stddef.h>

#include "config.h"
#include "web/metrics_counter.h"

#define LABELS_MAX 3

/* --- counters -------------------------------------------------------------------------------- */

static bool is_known(const struct fleet_node *node, enum counter id)
{
    if (counter_filler(id, true) == FILLER_MILTER)
        return !node->info.is_collector_only;
    return node->has_collector && coverage_bound_of(&node->collector.log, id) != BOUND_UNKNOWN;
}

/* The sample of a counter; the first label says whose it is. */
static void counter_sample(struct metrics_text *t, struct metrics_label owner,
                           const struct metrics_counter *c, uint64_t amount)
{
    const struct metrics_family *family = metrics_counter_family(c->family);
    struct metrics_label labels[LABELS_MAX] = {owner};
    char value[METRICS_VALUE_TEXT];
    size_t count = 1;

    if (family->label != NULL)
        labels[count++] = (struct metrics_label){family->label, c->value};
    if (family->sub != NULL)
        labels[count++] = (struct metrics_label){family->sub, slice_str(c->sub)};
    metrics_counter_value(c, amount, value);
    metrics_text_sample_as(t, NULL, labels, count, value);
}

static void node_samples(struct metrics_text *t, const struct fleet_node *node,
                         const struct metrics_counter *all, size_t family)
{
    for (int id = 0; id < COUNTER_COUNT; id++) {
        if (all[id].family == family && is_known(node, (enum counter)id))
            counter_sample(t, (struct metrics_label){"node", node->info.name}, &all[id],
                           node->total.value[id]);
    }
}

static const char *family_help(const struct metrics_counter *all, size_t family)
{
    int id = 0;

    if (metrics_counter_family(family)->help != NULL)
        return metrics_counter_family(family)->help;
    while (all[id].family != family)
        id++;
    return counter_table[id].help;
}

static void write_counters(struct metrics_text *t, const struct fleet *fleet)
{
    struct metrics_counter all[COUNTER_COUNT];

    for (int id = 0; id < COUNTER_COUNT; id++)
        all[id] = metrics_counter((enum counter)id);
    for (size_t f = 0; metrics_counter_family(f) != NULL; f++) {
        metrics_text_family(t, metrics_counter_family(f)->name, METRICS_COUNTER,
                            family_help(all, f));
        for (size_t i = 0; i < fleet->count; i++)
            node_samples(t, &fleet->items[i], all, f);
    }
}

/* --- state ----------------------------------------------------------------------------------- */

enum state_of { OF_MILTER, OF_COLLECTOR };

#define FIELD(name) offsetof(struct fleet_node, name)
static const struct state {
    const char *name, *help;
    enum metrics_type type;
    enum state_of of;
    bool is_told;  /* 0: the node does not say */
    size_t offset; /* of an int64_t, or an uint64_t below 2^63 */
} states[] = {
    {"tollgate_started_timestamp_seconds", "Last start of tollgated.", METRICS_GAUGE, OF_MILTER,
     true, FIELD(info.started)},
    {"tollgate_seen_timestamp_seconds", "Time at which tollgated last wrote its state.",
     METRICS_GAUGE, OF_MILTER, true, FIELD(info.seen)},
    {"tollgate_counted_through_timestamp_seconds",
     "Every message accepted before this time is in the ledger of the node.", METRICS_GAUGE,
     OF_MILTER, true, FIELD(info.counted_through)},
    {"tollgate_pushed_through_timestamp_seconds",
     "Every message accepted before this time is in Redis.", METRICS_GAUGE, OF_MILTER, true,
     FIELD(info.pushed_through)},
    {"tollgate_journal_pending_records",
     "Messages that are accepted and not yet in the ledger of the node.", METRICS_GAUGE, OF_MILTER,
     false, FIELD(info.journal_records)},
    {"tollgate_ledger_pending_rows", "Rows of the ledger that are not yet in Redis.", METRICS_GAUGE,
     OF_MILTER, false, FIELD(info.dirty_rows)},
    {"tollgate_disk_free_bytes", "Free space of the disk of the journal.", METRICS_GAUGE, OF_MILTER,
     true, FIELD(info.disk_free)},
    {"tollgate_disk_min_bytes", "ledger.min_free: with less free no mail is accepted.",
     METRICS_GAUGE, OF_MILTER, true, FIELD(info.disk_min)},
    {"tollgate_collect_seen_timestamp_seconds",
     "Time at which tollgate-collect last wrote its state.", METRICS_GAUGE, OF_COLLECTOR, true,
     FIELD(collector.seen)},
    {"tollgate_collect_pushed_through_timestamp_seconds",
     "Everything that was logged before this time is in Redis.", METRICS_GAUGE, OF_COLLECTOR, true,
     FIELD(collector.log.through_s)},
    {"tollgate_collect_lines", "Lines of logs read.", METRICS_COUNTER, OF_COLLECTOR, false,
     FIELD(collector.lines)},
    {"tollgate_reconcile_timestamp_seconds", "Last run of `tollgate reconcile'.", METRICS_GAUGE,
     OF_COLLECTOR, true, FIELD(collector.reconcile_at)},
    {"tollgate_collect_gaps", "Holes found in the logs.", METRICS_COUNTER, OF_COLLECTOR, false,
     FIELD(collector.gaps)},
};

static bool has_state(const struct fleet_node *node, enum state_of of)
{
    return !node->info.is_retired && !node->info.is_renamed &&
           (of == OF_COLLECTOR ? node->has_collector : node->info.seen > 0);
}

static void node_sample(struct metrics_text *t, const struct fleet_node *node, int64_t value)
{
    metrics_text_sample(t, NULL, &(struct metrics_label){"node", node->info.name}, 1,
                        value > 0 ? (uint64_t)value : 0);
}

static void write_states(struct metrics_text *t, const struct fleet *fleet)
{
    for (size_t s = 0; s < sizeof states / sizeof states[0]; s++) {
        metrics_text_family(t, states[s].name, states[s].type, states[s].help);
        for (size_t i = 0; i < fleet->count; i++) {
            const struct fleet_node *node = &fleet->items[i];
            int64_t value = *(const int64_t *)(const void *)((const char *)node + states[s].offset);

            if (has_state(node, states[s].of) && (value > 0 || !states[s].is_told))
                node_sample(t, node, value);
        }
    }
}

/* Of a log, or, where the node does not tell them apart, of all. */
static void lag_sample(struct metrics_text *t, const struct fleet_node *node, struct slice source,
                       int64_t lag_s)
{
    const struct metrics_label labels[] = {{"node", node->info.name}, {"source", source}};

    metrics_text_sample(t, NULL, labels, source.len > 0 ? 2 : 1, lag_s > 0 ? (uint64_t)lag_s : 0);
}

static void node_lags(struct metrics_text *t, const struct fleet_node *node, int64_t now_s)
{
    struct slice rest = node->collector.sources_through, line, through;
    bool is_told = false;
    uint64_t unix_s;

    while (slice_word(&rest, "\n", &line)) {
        if (!slice_cut(&line, ' ', &through) || !slice_number(through, &unix_s) ||
            unix_s > INT64_MAX || line.len == 0)
            continue;
        lag_sample(t, node, line, now_s - (int64_t)unix_s);
        is_told = true;
    }
    if (!is_told && node->collector.log_through > 0)
        lag_sample(t, node, SLICE_NONE, now_s - node->collector.log_through);
}

static void write_lag(struct metrics_text *t, const struct fleet *fleet, int64_t now_s)
{
    metrics_text_family(t, "tollgate_collect_lag_seconds", METRICS_GAUGE,
                        "How far tollgate-collect is behind the present in each of its logs.");
    for (size_t i = 0; i < fleet->count; i++) {
        if (has_state(&fleet->items[i], OF_COLLECTOR))
            node_lags(t, &fleet->items[i], now_s);
    }
}

static void write_queue(struct metrics_text *t, const struct fleet *fleet)
{
    metrics_text_family(t, "tollgate_queue_messages", METRICS_GAUGE,
                        "Messages in the queue of the mail server.");
    for (size_t i = 0; i < fleet->count; i++) {
        const struct fleet_node *node = &fleet->items[i];

        if (has_state(node, OF_COLLECTOR) && node->collector.has_queue)
            metrics_text_sample(t, NULL, &(struct metrics_label){"node", node->info.name}, 1,
                                node->collector.queue_messages);
    }
}

static void write_reconciled(struct metrics_text *t, const struct fleet *fleet)
{
    metrics_text_family(t, "tollgate_reconcile_messages", METRICS_GAUGE,
                        "Messages that the last run of `tollgate reconcile' counted, and of which "
                        "it found what.");
    for (size_t i = 0; i < fleet->count; i++) {
        const struct fleet_node *node = &fleet->items[i];
        struct metrics_label labels[] = {{"node", node->info.name}, {"finding", SLICE("counted")}};

        if (!has_state(node, OF_COLLECTOR) || node->collector.reconcile_at == 0)
            continue;
        metrics_text_sample(t, NULL, labels, 2, node->collector.reconcile_counted);
        for (size_t k = 0; k < FINDING_KINDS; k++) {
            labels[1].value = slice_str(finding_kind_name((enum finding_kind)k));
            metrics_text_sample(t, NULL, labels, 2, node->collector.reconcile_found[k]);
        }
    }
}

/* --- all of it ------------------------------------------------------------------------------- */

void metrics_write(struct metrics_text *t, const struct fleet *fleet, int64_t now_s)
{
    metrics_text_family(t, "tollgate_build_info", METRICS_INFO, "Version of tollgate-web.");
    metrics_text_sample(t, NULL, &(struct metrics_label){"version", SLICE(PACKAGE_VERSION)}, 1, 1);
    metrics_text_family(t, "tollgate_up", METRICS_GAUGE,
                        "1 if the counters could be read from Redis, 0 if not.");
    metrics_text_sample(t, NULL, NULL, 0, fleet != NULL);
    if (fleet == NULL)
        return;
    write_counters(t, fleet);
    write_states(t, fleet);
    write_lag(t, fleet, now_s);
    write_queue(t, fleet);
    write_reconciled(t, fleet);
}

void metrics_write_domains(struct metrics_text *t, const struct metrics_domain *domains,
                           size_t count)
{
    size_t family = metrics_counter(COUNTER_IN_BYTES).family;

    metrics_text_family(t, "tollgate_domain_message_bytes", METRICS_COUNTER,
                        "Bytes of messages charged to each of the largest domains, and to all "
                        "others (" METRICS_OTHER ").");
    for (size_t i = 0; i < count; i++) {
        for (int id = 0; id < COUNTER_COUNT; id++) {
            struct metrics_counter c = metrics_counter((enum counter)id);

            if (c.family == family)
                counter_sample(t, (struct metrics_label){"domain", domains[i].name}, &c,
                               domains[i].total.value[id]);
        }
    }
}
