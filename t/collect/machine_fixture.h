#ifndef TG_T_COLLECT_MACHINE_FIXTURE_H
#define TG_T_COLLECT_MACHINE_FIXTURE_H

#include "t/tap.h"

#include <stdlib.h>
#include <time.h>

#include "collect/log_reader.h"
#include "collect/machine.h"
#include "collect/sink.h"

/*
 * Machines under test: log lines in, what they told the sink out, as text that a test compares:
 *
 *     node imap_connections 2
 *     host.test imap_connections 1
 *     u@host.test imap_connections 1
 *
 * Hosted are host.test and vmbox.test. fixture_run with FIXTURE_FOLDS saves the book after each
 * line, as the collector does between folds, and goes on with a book made of what was saved.
 */

struct fixture_part {
    const struct shape *(*line)(struct machine *m, const struct log_line *line);
    void (*tick)(struct machine *m, int64_t now_ms); /* or NULL */
    void (*types)(struct open_book *b);              /* or NULL */
};

struct fixture_row {
    int64_t hour;
    char account[160];
    enum counter id;
    uint64_t amount;
};

struct fixture_saved {
    enum open_kind kind;
    int64_t touched_ms;
    char *key, *bytes;
    size_t key_len, bytes_len;
};

#define FIXTURE_ROWS  2000
#define FIXTURE_SAVED 2000

struct fixture {
    const struct fixture_part *part;
    struct machine m;
    struct machine_rules rules;
    struct owners owners;
    struct hosted *hosted;
    struct sink sink;
    struct fixture_row rows[FIXTURE_ROWS];
    size_t row_count;
    struct fixture_saved saved[FIXTURE_SAVED];
    size_t saved_count;
    struct buf text, events, shapes; /* what fixture_text gives; gaps, refusals; a name a line */
    int64_t reached_ms;
    struct read_time_bounds bounds; /* by default the end of November 2026 */
};

enum fixture_way { FIXTURE_WHOLE, FIXTURE_FOLDS };

/* --- the sink -----------------------------------------------------------------------------------
 */

static inline void fixture_add(struct fixture *f, int64_t time_ms, struct slice account,
                               enum counter id, uint64_t amount)
{
    struct fixture_row row = {.hour = time_ms / 3600000, .id = id, .amount = amount};

    (void)snprintf(row.account, sizeof row.account, "%.*s", SLICE_FMT(account));
    for (size_t i = 0; i < f->row_count; i++) {
        struct fixture_row *r = &f->rows[i];

        if (r->hour == row.hour && r->id == id && strcmp(r->account, row.account) == 0) {
            r->amount += amount;
            return;
        }
    }
    TG_ASSERT(f->row_count < FIXTURE_ROWS);
    f->rows[f->row_count++] = row;
}

static inline void fixture_count(void *to, int64_t time_ms, const struct payer *payer,
                                 enum counter id, uint64_t amount)
{
    struct fixture *f = to;

    TG_ASSERT(amount > 0 && payer != NULL && (payer->domain.len > 0 || payer->user.len == 0));
    fixture_add(f, time_ms, SLICE("node"), id, amount);
    if (payer->domain.len > 0)
        fixture_add(f, time_ms, payer->domain, id, amount);
    if (payer->user.len > 0)
        fixture_add(f, time_ms, payer->user, id, amount);
}

static inline void fixture_gap(void *to, const struct gap *gap)
{
    struct fixture *f = to;

    buf_addf(&f->events, "gap %lld-%lld lost=%llu %.*s\n", (long long)gap->from_ms,
             (long long)gap->to_ms, (unsigned long long)gap->lost, SLICE_FMT(gap->reason));
}

static inline void fixture_refusal(void *to, const struct refusal *r)
{
    struct fixture *f = to;

    buf_addf(&f->events, "refusal provider=%.*s relay=%.*s list=%.*s domain=%.*s %s%.*s\n",
             SLICE_FMT(r->provider), SLICE_FMT(r->relay), SLICE_FMT(r->list), SLICE_FMT(r->domain),
             r->is_greeting ? "greeting " : "", SLICE_FMT(r->text));
}

static inline void fixture_message(void *to, struct slice queue_id, int64_t first_ms,
                                   int64_t last_ms, struct slice trace)
{
    struct fixture *f = to;

    buf_addf(&f->events, "message %.*s %lld-%lld %zu bytes\n", SLICE_FMT(queue_id),
             (long long)first_ms, (long long)last_ms, trace.len);
}

static inline void fixture_anomaly(void *to, const struct anomaly *a)
{
    struct fixture *f = to;

    buf_addf(&f->events, "anomaly at %lld\n", (long long)a->time_ms);
}

/* --- begin and end ------------------------------------------------------------------------------
 */

static inline void fixture_book(struct fixture *f)
{
    f->m.open = open_new();
    TG_ASSERT(f->m.open != NULL);
    if (f->part->types != NULL)
        f->part->types(f->m.open);
}

static inline void fixture_init(struct fixture *f, const struct fixture_part *part)
{
    struct err err;

    memset(f, 0, sizeof *f);
    f->part = part;
    f->bounds = (struct read_time_bounds){INT64_C(1796083199000), INT64_C(1796083199000)};
    f->hosted = hosted_new((size_t)1 << 20);
    TG_ASSERT(hosted_add_domain(f->hosted, SLICE("host.test"), SLICE_NONE, &err) == 0 &&
              hosted_add_domain(f->hosted, SLICE("vmbox.test"), SLICE_NONE, &err) == 0 &&
              hosted_add_login(f->hosted, SLICE("joe"), SLICE("joe@host.test"), &err) == 0 &&
              hosted_add_network(f->hosted, &f->hosted->host, SLICE("127.0.0.0/8"), &err) == 0);
    f->hosted->users = true;
    owners_init(&f->owners, f->hosted);
    f->sink = (struct sink){.to = f,
                            .count = fixture_count,
                            .gap = fixture_gap,
                            .refusal = fixture_refusal,
                            .message = fixture_message,
                            .anomaly = fixture_anomaly};
    f->m = (struct machine){.rules = &f->rules, .owners = &f->owners, .sink = &f->sink};
    buf_init(&f->text, (size_t)1 << 20);
    buf_init(&f->events, (size_t)1 << 20);
    buf_init(&f->shapes, (size_t)1 << 20);
    fixture_book(f);
}

static inline void fixture_fini(struct fixture *f)
{
    for (size_t i = 0; i < f->saved_count; i++) {
        free(f->saved[i].key);
        free(f->saved[i].bytes);
    }
    open_free(f->m.open);
    owners_fini(&f->owners);
    hosted_free(f->hosted);
    buf_fini(&f->text);
    buf_fini(&f->events);
    buf_fini(&f->shapes);
}

/* --- folds --------------------------------------------------------------------------------------
 */

static inline char *fixture_copy(struct slice s)
{
    char *copy = malloc(s.len + 1);

    TG_ASSERT(copy != NULL);
    if (s.len > 0)
        memcpy(copy, s.ptr, s.len);
    return copy;
}

static inline void fixture_save(struct fixture *f, const struct open_change *c)
{
    for (size_t i = 0; i < f->saved_count; i++) {
        struct fixture_saved *s = &f->saved[i];

        if (s->kind != c->kind || !slice_equal((struct slice){s->key, s->key_len}, c->key))
            continue;
        free(s->key);
        free(s->bytes);
        memmove(s, s + 1, (--f->saved_count - i) * sizeof *s);
        break;
    }
    if (c->is_gone)
        return;
    TG_ASSERT(f->saved_count < FIXTURE_SAVED);
    f->saved[f->saved_count++] = (struct fixture_saved){
        c->kind,    c->touched_ms, fixture_copy(c->key), fixture_copy(c->bytes),
        c->key.len, c->bytes.len};
}

static inline int fixture_by_touch(const void *a, const void *b)
{
    const struct fixture_saved *x = a, *y = b;

    return (x->touched_ms > y->touched_ms) - (x->touched_ms < y->touched_ms);
}

/* Saves the book, and makes another of all that was saved. */
static inline void fixture_fold(struct fixture *f)
{
    struct open_entry *at = NULL;
    struct open_change change;

    if (f->part->tick != NULL)
        f->part->tick(&f->m, f->reached_ms);
    while (open_change_next(f->m.open, &at, &change) == 1)
        fixture_save(f, &change);
    open_saved(f->m.open);
    open_free(f->m.open);
    fixture_book(f);
    qsort(f->saved, f->saved_count, sizeof f->saved[0], fixture_by_touch);
    for (size_t i = 0; i < f->saved_count; i++) {
        struct fixture_saved *s = &f->saved[i];

        change = (struct open_change){.kind = s->kind,
                                      .key = {s->key, s->key_len},
                                      .touched_ms = s->touched_ms,
                                      .bytes = {s->bytes, s->bytes_len}};
        TG_ASSERT(open_restore(f->m.open, &change));
    }
}

/* --- lines --------------------------------------------------------------------------------------
 */

/* Feeds the lines of `log` (of any form; zone UTC) and ticks at the end.
 */
static inline void fixture_run(struct fixture *f, enum fixture_way way, struct slice log)
{
    static struct slice names[] = {{"postfix", 7}, {"postfix-out", 11}};
    static const struct machine_list name_list = {names, 2};
    const struct log_setup setup = {&name_list, NULL};
    struct log_reader reader;
    struct log_reading reading;
    struct slice line;

    log_reader_init(&reader, &setup, 0);
    while (slice_cut(&log, '\n', &line)) {
        const struct shape *shape;

        if (!log_reader_read(&reader, line, &f->bounds, &reading) || reading.is_silent)
            continue;
        if (reading.line.time_ms > f->reached_ms)
            f->reached_ms = reading.line.time_ms;
        shape = f->part->line(&f->m, &reading.line);
        buf_addf(&f->shapes, "%s\n", shape != NULL ? shape->name : "-");
        if (way == FIXTURE_FOLDS)
            fixture_fold(f);
    }
    if (f->part->tick != NULL)
        f->part->tick(&f->m, f->reached_ms);
    log_reader_fini(&reader);
}

/* A file of t/data, whole; the caller frees. */
static inline char *fixture_read(const char *name, size_t *len)
{
    const char *source = getenv("TG_SOURCE");
    char path[1024], *bytes = malloc((size_t)4 << 20);
    FILE *file;

    (void)snprintf(path, sizeof path, "%s/t/data/%s", source != NULL ? source : ".", name);
    file = fopen(path, "rb");
    TG_ASSERT(file != NULL && bytes != NULL);
    *len = fread(bytes, 1, (size_t)4 << 20, file);
    (void)fclose(file);
    return bytes;
}

/* --- what came out ------------------------------------------------------------------------------
 */

static inline int fixture_by_account(const void *a, const void *b)
{
    const struct fixture_row *x = a, *y = b;
    bool x_node = strcmp(x->account, "node") == 0, y_node = strcmp(y->account, "node") == 0;
    int order = x_node != y_node ? y_node - x_node : strcmp(x->account, y->account);

    if (order == 0)
        order = (x->id > y->id) - (x->id < y->id);
    return order != 0 ? order : (x->hour > y->hour) - (x->hour < y->hour);
}

static inline uint64_t fixture_sum(const struct fixture *f, const char *account, enum counter id)
{
    uint64_t sum = 0;

    for (size_t i = 0; i < f->row_count; i++) {
        if (f->rows[i].id == id && strcmp(f->rows[i].account, account) == 0)
            sum += f->rows[i].amount;
    }
    return sum;
}

/* "ACCOUNT COUNTER AMOUNT" a line, the node first; with `by_hour` the hour before it. */
static inline struct slice fixture_text(struct fixture *f, bool by_hour)
{
    buf_reset(&f->text);
    qsort(f->rows, f->row_count, sizeof f->rows[0], fixture_by_account);
    for (size_t i = 0; i < f->row_count; i++) {
        const struct fixture_row *r = &f->rows[i], *before = r - 1;
        uint64_t amount = r->amount;

        if (by_hour) {
            time_t t = (time_t)r->hour * 3600;
            char hour[20];
            struct tm tm;

            (void)strftime(hour, sizeof hour, "%Y-%m-%dT%H ", gmtime_r(&t, &tm));
            buf_add_str(&f->text, hour);
        } else if (i > 0 && before->id == r->id && strcmp(before->account, r->account) == 0) {
            continue;
        } else {
            amount = fixture_sum(f, r->account, r->id);
        }
        buf_addf(&f->text, "%s %s %llu\n", r->account, counter_table[r->id].name,
                 (unsigned long long)amount);
    }
    return buf_slice(&f->text);
}

/* The lines give these amounts, whole and cut into folds. */
static inline void fixture_check(struct fixture *f, const struct fixture_part *part,
                                 const char *log, const char *want, const char *what)
{
    struct machine_rules rules = f->rules;

    for (int way = FIXTURE_WHOLE; way <= FIXTURE_FOLDS; way++) {
        fixture_init(f, part);
        f->rules = rules;
        fixture_run(f, (enum fixture_way)way, slice_str(log));
        IS_SLICE(fixture_text(f, false), slice_str(want), what);
        fixture_fini(f);
    }
}

/* Runs the log through a fixture of its own; the sessions whose end is lost. */
static inline uint64_t fixture_lost_ends(struct fixture *f, const struct fixture_part *part,
                                         const char *log)
{
    uint64_t lost;

    fixture_init(f, part);
    fixture_run(f, FIXTURE_FOLDS, slice_str(log));
    lost = f->m.lost_ends;
    fixture_fini(f);
    return lost;
}

#endif
