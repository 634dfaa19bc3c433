/* Both witnesses of tollgate reconcile: the journal's records and the collector's stories. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <sysexits.h>
#include <unistd.h>

#include "cli/reconcile.h"
#include "lib/ledger/collect_file.h"
#include "lib/ledger/ledger_file.h"
#include "lib/sys/journal.h"

#define AROUND_MS INT64_C(7200000) /* messages that the compared ones were made of, or became */

/* --- the journal -------------------------------------------------------------------------------
 */

static struct journal_reader *journal_of(const struct reconcile *w, struct err *err)
{
    const char *state_dir = w->cli->settings->state_dir;
    struct journal_position start = {0, 0, 0};
    struct journal_reader *r = NULL;
    struct buf path;

    buf_init(&path, 4096);
    buf_addf(&path, "%s/journal", state_dir);
    if (path.failed)
        (void)err_set(err, EX_CONFIG, "state_dir is too long");
    else if (access(path.data, R_OK | X_OK) != 0)
        (void)err_set(err, EX_NOPERM, "cannot read %s: run this as root, on the node itself",
                      path.data);
    else
        r = journal_reader_open(path.data, start, err);
    buf_fini(&path);
    return r;
}

int reconcile_records(struct reconcile *w,
                      int (*take)(struct reconcile *w, const struct record *r, void *context,
                                  struct err *err),
                      void *context, struct err *err)
{
    struct journal_reader *r = journal_of(w, err);
    struct record record;
    int rc = r != NULL ? 0 : -1;

    while (rc == 0) {
        int next = journal_reader_next(r, &record, err);

        if (next <= 0) {
            rc = next;
            break;
        }
        rc = take(w, &record, context, err);
    }
    journal_reader_close(r);
    return rc < 0 ? -1 : 0;
}

struct read_records {
    uint64_t *in_doubt; /* ascending */
    size_t in_doubt_count;
    struct arena held;       /* queue ids of held records */
    struct strmap by_number; /* text of the number -> struct findings_record * */
};

static int by_value(const void *a, const void *b)
{
    const uint64_t *x = a, *y = b;

    return *x < *y ? -1 : *x > *y;
}

static bool is_in_doubt(const struct read_records *s, uint64_t number)
{
    return s->in_doubt_count > 0 &&
           bsearch(&number, s->in_doubt, s->in_doubt_count, sizeof number, by_value) != NULL;
}

/* A held message that was released counts from then on, under its own number. */
static void held_note(struct read_records *s, const struct record *r)
{
    struct findings_record *held = arena_alloc(&s->held, sizeof *held);
    struct slice key = arena_copy(&s->held, (struct slice){(const char *)&r->number, 8});
    void **place = held != NULL && key.ptr != NULL ? strmap_add(&s->by_number, key, NULL) : NULL;

    if (place == NULL)
        return;
    *held = (struct findings_record){.number = r->number,
                                     .time_ms = r->time_ms,
                                     .queue_id = arena_copy(&s->held, r->queue_id),
                                     .bytes = r->bytes,
                                     .is_held = true};
    *place = held;
}

static int release_take(struct reconcile *w, struct read_records *s, const struct record *r,
                        struct err *err)
{
    void **place = strmap_find(&s->by_number, (struct slice){(const char *)&r->held_number, 8});
    struct findings_record *held = place != NULL ? *place : NULL;

    if (held == NULL)
        return 0; /* held before the oldest record that is kept */
    held->is_held = false;
    held->time_ms = r->time_ms;
    return findings_add_record(&w->findings, held, err);
}

static int take_record(struct reconcile *w, const struct record *r, void *context, struct err *err)
{
    struct read_records *s = context;
    struct findings_record found = {
        .number = r->number, .time_ms = r->time_ms, .queue_id = r->queue_id, .bytes = r->bytes};

    if (w->findings.journal_from_ms == 0)
        w->findings.journal_from_ms = r->time_ms;
    if (r->time_ms >= (int64_t)w->range.time.to * 1000 + AROUND_MS)
        return 1;
    if (r->kind == RECORD_HELD)
        held_note(s, r);
    else if (r->kind == RECORD_RELEASE)
        return release_take(w, s, r, err);
    else if (r->kind == RECORD_MESSAGE &&
             r->time_ms >= (int64_t)w->range.time.from * 1000 - AROUND_MS) {
        found.in_doubt = is_in_doubt(s, r->number);
        return findings_add_record(&w->findings, &found, err);
    }
    return 0;
}

/* Those that nothing has released are known, and do not count. */
static int add_held(struct reconcile *w, struct read_records *s, struct err *err)
{
    struct slice key;
    void *value;
    int rc = 0;

    for (size_t at = 0; rc == 0 && strmap_next(&s->by_number, &at, &key, &value);) {
        if (((struct findings_record *)value)->is_held)
            rc = findings_add_record(&w->findings, value, err);
    }
    return rc;
}

static int read_journal(struct reconcile *w, struct err *err)
{
    struct read_records s = {.in_doubt = NULL};
    int rc;

    if (ledger_file_in_doubt(w->cli->settings->state_dir, &s.in_doubt, &s.in_doubt_count) < 0)
        return err_set(err, EX_IOERR, "the ledger in %s cannot be read",
                       w->cli->settings->state_dir);
    arena_init(&s.held, (size_t)1 << 30);
    strmap_init(&s.by_number);
    rc = reconcile_records(w, take_record, &s, err);
    if (rc == 0)
        rc = add_held(w, &s, err);
    strmap_fini(&s.by_number);
    arena_fini(&s.held);
    free(s.in_doubt);
    return rc;
}

/* --- the log ------------------------------------------------------------------------------------
 */

static int take_trace(void *context, const struct collect_file_story *story, struct err *err)
{
    struct reconcile *w = context;

    if (findings_add_trace(&w->findings, story->queue_id, story->instance, story->trace, err) == 0)
        return 0;
    return err->code == EX_OSERR ? -1 : 0;
}

static int take_gap(void *context, int64_t from_ms, int64_t to_ms, struct err *err)
{
    struct reconcile *w = context;

    return findings_add_gap(&w->findings, &(struct findings_gap){from_ms, to_ms}, err);
}

static int read_log(struct reconcile *w, struct err *err)
{
    struct collect_file *c = collect_file_open(w->cli->settings->state_dir, err);
    struct collect_file_query q = {.from_ms = (int64_t)w->range.time.from * 1000 - AROUND_MS,
                                   .to_ms = (int64_t)w->range.time.to * 1000 + AROUND_MS,
                                   .take = take_trace,
                                   .context = w};
    int rc = c != NULL ? 0 : -1;

    if (rc == 0)
        rc = collect_file_cover(c, &w->findings.log_from_ms, &w->findings.log_to_ms, err);
    if (rc == 0)
        rc = collect_file_gaps(c, take_gap, w, err);
    if (rc == 0)
        rc = collect_file_traces(c, &q, err);
    collect_file_close(c);
    return rc;
}

/* --- compared ------------------------------------------------------------------------------------
 */

static bool is_hosted(void *context, struct slice name)
{
    struct reconcile *w = context;
    struct slice domain, charged;
    struct err ignored;
    bool hosted = false;

    arena_reset(&w->scratch);
    return domain_canonical(name, &w->scratch, &domain, &ignored) == 0 &&
           setup_domain(&w->setup, domain, &w->scratch, &hosted, &charged, &ignored) == 0 && hosted;
}

int reconcile_read(struct reconcile *w, struct err *err)
{
    w->findings.is_hosted = is_hosted;
    w->findings.context = w;
    if (read_journal(w, err) < 0 || read_log(w, err) < 0)
        return -1;
    w->findings.journal_to_ms = (int64_t)w->range.time.now * 1000;
    return findings_compare(&w->findings, err);
}
