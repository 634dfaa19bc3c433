#include "lib/admin/holder_over.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/admin/holder_usage.h"
#include "lib/admin/limit_holders.h"
#include "lib/read/read_forecast.h"
#include "lib/read/read_windows.h"

#define SCRATCH_BYTES ((size_t)256 << 20)

struct over_reading {
    const struct setup *setup;
    struct reader *reader;
    const struct holder_over_question *q;
    struct holder_over *out;
    struct arena *arena, scratch;
    bool may[LIMIT_HOLDERS_BATCH]; /* a user of this domain may have used so much */
};

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory");
}

/* The limit is borrowed from what is read next. */
static int row_keep(struct over_reading *w, struct slice account, const struct usage_row *row,
                    struct err *err)
{
    struct holder_over *out = w->out;
    struct holder_over_row *grown, *kept;
    struct limit *limit;

    if (row->percent < w->q->percent)
        return 0;
    grown = arena_grow(w->arena, out->list, out->count, &out->room, sizeof *grown);
    limit = arena_alloc(w->arena, sizeof *limit);
    if (grown == NULL || limit == NULL)
        return no_memory(err);
    out->list = grown;
    kept = &grown[out->count++];
    *limit = *row->limit;
    limit->per = arena_copy(w->arena, limit->per);
    limit->subject = limit->reason = limit->author = SLICE_NONE;
    *kept = (struct holder_over_row){.account = arena_copy(w->arena, account), .usage = *row};
    kept->usage.limit = limit;
    if (row->user.len > 0)
        kept->usage.user = arena_copy(w->arena, row->user);
    return kept->account.ptr == NULL || limit->per.ptr == NULL ? no_memory(err) : 0;
}

/* --- limits of domains, and of the server ---------------------------------------------------- */

static bool is_for_admin(const struct over_reading *w, const struct holder *h,
                         const struct limit *l)
{
    return l->window_ms == LIMIT_WINDOW_MONTH && hosted_admin(w->setup->hosted, h->name).len > 0;
}

static bool is_asked(const struct over_reading *w, const struct limit_holder *h, size_t i)
{
    const struct limit *l = &h->limits.limits[i];

    if (w->q->admins && !is_for_admin(w, &h->holder, l))
        return false;
    return h->holder.kind != HOLDER_IS_CLIENTS && !h->holder.is_exempt && l->scope != LIMIT_USER &&
           limit_is_for(h->limits.limits, h->limits.count, l, SLICE_NONE);
}

static size_t questions_make(const struct over_reading *w, const struct limit_holder *holders,
                             size_t count, struct window_question *questions)
{
    size_t made = 0;

    for (size_t i = 0; i < count; i++) {
        const struct limit_holder *h = &holders[i];

        for (size_t k = 0; k < h->limits.count; k++) {
            if (!is_asked(w, h, k))
                continue;
            if (questions != NULL)
                questions[made] = (struct window_question){.holder = h->holder.name,
                                                           .limit = &h->limits.limits[k]};
            made++;
        }
    }
    return made;
}

static int windows_read(struct over_reading *w, const struct limit_holder *holders, size_t count,
                        struct err *err)
{
    size_t asked = questions_make(w, holders, count, NULL);
    struct window_question *questions = arena_array(&w->scratch, asked + 1, sizeof *questions);
    struct usage_row *rows = arena_array(&w->scratch, asked + 1, sizeof *rows);

    if (questions == NULL || rows == NULL)
        return no_memory(err);
    (void)questions_make(w, holders, count, questions);
    if (read_usage_windows(w->reader, questions, asked, rows, &w->out->now_ms, err) != 0)
        return -1;
    for (size_t i = 0; i < asked; i++) {
        if (row_keep(w, questions[i].holder, &rows[i], err) != 0)
            return -1;
    }
    return 0;
}

/* --- limits of users ------------------------------------------------------------------------- */

static bool users_have_limits(const struct limit_holder *h)
{
    for (size_t i = 0; i < h->limits.count; i++) {
        if (h->limits.limits[i].scope == LIMIT_USER && !h->holder.is_exempt)
            return true;
    }
    return false;
}

/* Most domains need no look at their users. */
static int users_choose(struct over_reading *w, const struct limit_holder *holders, size_t count,
                        struct err *err)
{
    struct usage_question *questions = arena_array(&w->scratch, count + 1, sizeof *questions);
    int result;

    if (questions == NULL)
        return no_memory(err);
    for (size_t i = 0; i < count; i++) {
        const struct limit_holder *h = &holders[i];

        if (users_have_limits(h) && h->holder.kind == HOLDER_IS_DOMAIN)
            questions[i] = (struct usage_question){
                .holder = h->holder.name, .limits = h->limits.limits, .count = h->limits.count};
    }
    result = read_usage_may_be_over(w->reader, questions, count, w->q->percent, w->q->now_s,
                                    &w->scratch, w->may, err);
    arena_reset(&w->scratch);
    return result;
}

static int users_read(struct over_reading *w, const struct limit_holder *h, struct err *err)
{
    struct usage_rows rows;

    if (holder_usage_read(w->reader, &h->holder, &h->limits, w->q->now_s, HOLDER_OVER_USERS,
                          &w->scratch, &rows, err) != 0)
        return -1;
    for (size_t i = 0; i < rows.count; i++) {
        if (rows.list[i].user.len > 0 && row_keep(w, h->holder.name, &rows.list[i], err) != 0)
            return -1;
    }
    arena_reset(&w->scratch);
    return 0;
}

/* --------------------------------------------------------------------------------------------- */

static int take(void *context, struct limit_holder *holders, size_t count, struct err *err)
{
    struct over_reading *w = context;
    int result = windows_read(w, holders, count, err);

    arena_reset(&w->scratch);
    if (result == 0 && w->q->users)
        result = users_choose(w, holders, count, err);
    for (size_t i = 0; result == 0 && w->q->users && i < count; i++)
        result = w->may[i] ? users_read(w, &holders[i], err) : 0;
    return result;
}

static int by_fullness(const void *a, const void *b)
{
    const struct holder_over_row *x = a, *y = b;

    return x->usage.percent == y->usage.percent ? slice_compare(x->account, y->account)
                                                : read_usage_compare(&x->usage, &y->usage);
}

static int rows_forecast(struct reader *r, struct holder_over *out, struct arena *arena,
                         struct err *err)
{
    struct forecast_question *q = arena_array(arena, out->count + 1, sizeof *q);

    if (q == NULL)
        return no_memory(err);
    for (size_t i = 0; i < out->count; i++)
        q[i] = (struct forecast_question){out->list[i].account, &out->list[i].usage};
    return read_forecast(r, q, out->count, out->now_ms / 1000, err);
}

int holder_over_read(const struct setup *s, struct reader *r, const struct holder_over_question *q,
                     struct arena *arena, struct holder_over *out, struct err *err)
{
    struct over_reading w = {.setup = s, .reader = r, .q = q, .out = out, .arena = arena};
    int result;

    *out = (struct holder_over){.count = 0};
    arena_init(&w.scratch, SCRATCH_BYTES);
    result = limit_holders_each(s, r, q->now_s, take, &w, err);
    arena_fini(&w.scratch);
    if (result == 0 && !q->admins)
        result = rows_forecast(r, out, arena, err);
    if (result == 0 && out->count > 1)
        qsort(out->list, out->count, sizeof *out->list, by_fullness);
    return result;
}
