#include "lib/read/read_coverage.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/read/read_reply.h"
#include "lib/redis/keys.h"

#define KEY_BYTES 1024

/* --- the collector's hash -------------------------------------------------------------------- */

static const char *const collect_fields[] = {
    "version",         "started",        "seen",         "log_from",         "log_through",
    "pushed_through",  "lines",          "gaps",         "sources",          "notes",
    "sources_through", "queue_messages", "reconcile_at", "reconcile_counted"};
#define COLLECT_NAMED  (sizeof collect_fields / sizeof collect_fields[0])
#define COLLECT_FIELDS (COLLECT_NAMED + FINDING_KINDS) /* and one for each kind of finding */

static uint64_t number(const redisReply *reply)
{
    uint64_t n;

    return reply->type == REDIS_REPLY_STRING && slice_number(link_reply_text(reply), &n) ? n : 0;
}

static int64_t seconds(const redisReply *reply)
{
    uint64_t n = number(reply);

    return n <= INT64_MAX ? (int64_t)n : 0;
}

/* ">= pop_bytes the log of Dovecot lacks %i and %o"; false: of a newer collector. */
static bool note_parse(struct slice line, struct coverage_note *note)
{
    static const struct {
        const char *mark;
        enum coverage_bound bound;
    } marks[] = {{">=", BOUND_LEAST}, {"<=", BOUND_MOST}, {"?", BOUND_UNKNOWN}};
    struct slice mark, name;
    int id;

    note->text = line;
    if (!slice_cut(&note->text, ' ', &mark) || !slice_cut(&note->text, ' ', &name))
        return false;
    id = counter_find(name);
    for (size_t i = 0; id >= 0 && i < sizeof marks / sizeof marks[0]; i++) {
        if (slice_equal(mark, slice_str(marks[i].mark))) {
            note->bound = marks[i].bound;
            note->counter = (enum counter)id;
            return true;
        }
    }
    return false;
}

static int notes_take(struct slice text, struct arena *arena, struct coverage_log *log,
                      struct err *err)
{
    struct slice rest = arena_copy(arena, text), line;
    struct coverage_note *notes = NULL, note;
    size_t room = 0;

    if (rest.ptr == NULL)
        return read_no_memory(err);
    while (slice_word(&rest, "\n", &line)) {
        if (!note_parse(line, &note))
            continue;
        notes = arena_grow(arena, notes, log->note_count, &room, sizeof *notes);
        if (notes == NULL)
            return read_no_memory(err);
        notes[log->note_count++] = note;
        log->notes = notes;
    }
    return 0;
}

static int collect_take(const struct reader *r, const redisReply *reply, struct slice key,
                        struct arena *arena, struct collector_info *out, struct err *err)
{
    if (read_expect(r, reply, REDIS_REPLY_ARRAY, key, err) != 0)
        return -1;
    if (reply->elements != COLLECT_FIELDS)
        return err_set(err, EX_UNAVAILABLE, "redis at %s, %.*s: unexpected answer",
                       store_where(r->store), SLICE_FMT(key));
    out->version = arena_copy(arena, link_reply_text(reply->element[0]));
    out->started = seconds(reply->element[1]);
    out->seen = seconds(reply->element[2]);
    out->log.from_s = seconds(reply->element[3]);
    out->log_through = seconds(reply->element[4]);
    out->log.through_s = seconds(reply->element[5]);
    out->log.is_there = out->log.through_s > 0;
    out->lines = number(reply->element[6]);
    out->gaps = number(reply->element[7]);
    out->sources = arena_copy(arena, link_reply_text(reply->element[8]));
    out->sources_through = arena_copy(arena, link_reply_text(reply->element[10]));
    out->has_queue = link_reply_text(reply->element[11]).len > 0;
    out->queue_messages = number(reply->element[11]);
    out->reconcile_at = seconds(reply->element[12]);
    out->reconcile_counted = number(reply->element[13]);
    for (size_t k = 0; k < FINDING_KINDS; k++)
        out->reconcile_found[k] = number(reply->element[COLLECT_NAMED + k]);
    return notes_take(link_reply_text(reply->element[9]), arena, &out->log, err);
}

/* --- gaps ------------------------------------------------------------------------------------ */

/* "FROM TO LOST REASON" */
static bool gap_parse(struct slice text, struct coverage_gap *gap)
{
    struct slice from, to, lost;
    uint64_t start, end;

    if (!slice_cut(&text, ' ', &from) || !slice_cut(&text, ' ', &to) ||
        !slice_cut(&text, ' ', &lost) || !slice_number(from, &start) || !slice_number(to, &end) ||
        !slice_number(lost, &gap->lost) || start > end || end > INT64_MAX)
        return false;
    gap->from_s = (int64_t)start;
    gap->to_s = (int64_t)end;
    gap->reason = text;
    return true;
}

static int gaps_compare(const void *left, const void *right)
{
    const struct coverage_gap *a = left, *b = right;

    if (a->from_s != b->from_s)
        return a->from_s < b->from_s ? -1 : 1;
    return a->to_s < b->to_s ? -1 : a->to_s > b->to_s;
}

static int gaps_take(const struct reader *r, const redisReply *reply, struct slice key,
                     struct arena *arena, struct coverage_log *log, struct err *err)
{
    struct coverage_gap *gaps;

    if (read_expect(r, reply, REDIS_REPLY_ARRAY, key, err) != 0)
        return -1;
    gaps = arena_array(arena, reply->elements / 2 + 1, sizeof *gaps);
    if (gaps == NULL)
        return read_no_memory(err);
    for (size_t i = 1; i < reply->elements; i += 2) {
        struct slice text = arena_copy(arena, link_reply_text(reply->element[i]));

        if (text.ptr == NULL)
            return read_no_memory(err);
        if (!gap_parse(text, &gaps[log->gap_count++]))
            return err_set(err, EX_DATAERR,
                           "redis at %s: the field %.*s of %.*s is not a gap: \"%.*s\"",
                           store_where(r->store), SLICE_FMT(link_reply_text(reply->element[i - 1])),
                           SLICE_FMT(key), SLICE_FMT(slice_to(text, 60)));
    }
    if (log->gap_count > 1)
        qsort(gaps, log->gap_count, sizeof *gaps, gaps_compare);
    log->gaps = gaps;
    return 0;
}

/* --- reading --------------------------------------------------------------------------------- */

void read_coverage_ask(struct reader *r, struct slice node)
{
    struct slice argv[2 + COLLECT_FIELDS] = {SLICE("HMGET")};
    struct buf key;

    buf_init(&key, KEY_BYTES);
    key_collect(&key, r->prefix, node);
    argv[1] = buf_slice(&key);
    for (size_t i = 0; i < COLLECT_NAMED; i++)
        argv[2 + i] = slice_str(collect_fields[i]);
    for (size_t k = 0; k < FINDING_KINDS; k++)
        argv[2 + COLLECT_NAMED + k] = slice_str(finding_kind_field((enum finding_kind)k));
    store_pipe_add(r->store, 2 + COLLECT_FIELDS, argv);
    buf_fini(&key);
}

int read_coverage_take(struct reader *r, const redisReply *reply, struct slice node,
                       struct arena *arena, struct collector_info *out, struct err *err)
{
    struct buf key;
    int result;

    *out = (struct collector_info){.started = 0};
    buf_init(&key, KEY_BYTES);
    key_collect(&key, r->prefix, node);
    result = collect_take(r, reply, buf_slice(&key), arena, out, err);
    buf_fini(&key);
    return result;
}

int read_coverage_collector(struct reader *r, struct slice node, struct arena *arena,
                            struct collector_info *out, struct err *err)
{
    struct buf gaps;
    redisReply *replies[2];
    int result;

    buf_init(&gaps, KEY_BYTES);
    key_gaps(&gaps, r->prefix, node);
    read_coverage_ask(r, node);
    store_pipe_add(r->store, 2, (const struct slice[]){SLICE("HGETALL"), buf_slice(&gaps)});
    result = read_trip(r, replies, err);
    if (result == 0) {
        result = read_coverage_take(r, replies[0], node, arena, out, err);
        if (result == 0)
            result = gaps_take(r, replies[1], buf_slice(&gaps), arena, &out->log, err);
        read_free(replies, 2);
    }
    buf_fini(&gaps);
    return result;
}

int read_coverage_nodes(struct reader *r, bool collectors, struct arena *arena,
                        struct coverage_nodes *out, struct err *err)
{
    if (read_node_infos(r, arena, &out->nodes, err) != 0)
        return -1;
    out->collectors = arena_array(arena, out->nodes.count + 1, sizeof *out->collectors);
    if (out->collectors == NULL)
        return read_no_memory(err);
    for (size_t i = 0; collectors && i < out->nodes.count; i++) {
        if (read_coverage_collector(r, out->nodes.items[i].name, arena, &out->collectors[i], err) !=
            0)
            return -1;
    }
    return 0;
}

/* --- what follows ---------------------------------------------------------------------------- */

void read_coverage_of(const struct coverage_nodes *n, size_t node, time_t from, time_t to,
                      time_t now, struct node_coverage *out)
{
    const struct node_info *info = &n->nodes.items[node];
    const struct coverage_log *log = &n->collectors[node].log;

    *out = (struct node_coverage){.milter = {.nodes = 0}};
    if (!info->is_collector_only)
        coverage_add_node(&out->milter, info->pushed_through, from, to, now);
    if (info->is_retired)
        out->milter.is_behind = false;
    if (!log->is_there && (info->is_retired || info->is_renamed))
        return;
    coverage_add_log(&out->log, log, from, to, now);
    if (info->is_retired || info->is_renamed)
        out->log.is_behind = false;
}

enum coverage_bound read_coverage_bound(const struct coverage_log *log,
                                        const struct report_column *column)
{
    enum coverage_bound bound = BOUND_EXACT;

    for (size_t i = 0; i < column->counter_count; i++)
        bound = coverage_bound_join(bound, coverage_bound_of(log, column->counters[i]));
    return bound;
}
