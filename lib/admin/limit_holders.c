#include "lib/admin/limit_holders.h"

#include <sysexits.h>

#include "lib/read/read_holders.h"
#include "lib/read/read_reply.h"

#define NAMES_BYTES ((size_t)1 << 30)
#define BATCH_BYTES ((size_t)256 << 20)

struct limit_holders_reading {
    const struct setup *setup;
    struct reader *reader;
    int64_t now_s;
    limit_holders_take *take;
    void *context;
    struct name_list names;
    struct arena kept, batch;
};

/* --- who ------------------------------------------------------------------------------------- */

static int name_add(struct limit_holders_reading *w, struct slice name, struct err *err)
{
    struct slice *grown =
        arena_grow(&w->kept, w->names.items, w->names.count, &w->names.room, sizeof *grown);

    if (grown == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    w->names.items = grown;
    grown[w->names.count++] = name;
    return 0;
}

static int assigned_add(struct limit_holders_reading *w, struct err *err)
{
    struct slice name;
    size_t at = 0;
    void *value;

    while (strmap_next(&w->setup->hosted->plans, &at, &name, &value)) {
        if (name_add(w, name, err) != 0)
            return -1;
    }
    return 0;
}

static int customers_add(struct limit_holders_reading *w, struct err *err)
{
    size_t at = 0;
    struct slice name;
    void *value;

    while (strmap_next(&w->setup->hosted->customer_names, &at, &name, &value)) {
        name = limit_check_customer(name, &w->kept);
        if (name.ptr == NULL)
            return err_set(err, EX_OSERR, "out of memory");
        if (name_add(w, name, err) != 0)
            return -1;
    }
    return 0;
}

static int names_read(struct limit_holders_reading *w, struct err *err)
{
    struct name_list changed;

    if (read_accounts(w->reader, &w->kept, &w->names, err) != 0 ||
        read_holders_changed(w->reader, &w->kept, &changed, err) != 0)
        return -1;
    for (size_t i = 0; i < changed.count; i++) {
        if (name_add(w, changed.items[i], err) != 0)
            return -1;
    }
    if (assigned_add(w, err) != 0 || customers_add(w, err) != 0 ||
        name_add(w, SLICE(HOLDER_SERVER), err) != 0 || name_add(w, SLICE(HOLDER_CLIENTS), err) != 0)
        return -1;
    read_names_settle(&w->names);
    return 0;
}

/* --- what holds for them --------------------------------------------------------------------- */

static void warn_skipped(const struct setup *s, struct slice name, size_t skipped)
{
    struct err err = {0};

    if (skipped == 0 || s->warn == NULL)
        return;
    (void)err_set(&err, EX_DATAERR,
                  "%zu override%s of %.*s cannot be read: see tollgate limit show %.*s", skipped,
                  skipped == 1 ? "" : "s", SLICE_FMT(name), SLICE_FMT(name));
    s->warn(&err);
}

static int batch_read(struct limit_holders_reading *w, const struct slice *names, size_t count,
                      struct err *err)
{
    struct account_overrides *said = arena_array(&w->batch, count, sizeof *said);
    struct limit_holder *holders = arena_array(&w->batch, count, sizeof *holders);
    int result;

    if (said == NULL || holders == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    result = account_overrides_read_many(w->setup->store, w->setup->settings->store.prefix, names,
                                         count, READ_TIMEOUT_MS, &w->batch, said, err);
    for (size_t i = 0; result == 0 && i < count; i++) {
        holder_of_account(w->setup, names[i], &holders[i].holder);
        warn_skipped(w->setup, names[i], said[i].skipped);
        holders[i].limits = (struct holder_limits){.said = said[i]};
        result = holder_limits_choose(w->setup, &holders[i].holder, w->now_s, &w->batch,
                                      &holders[i].limits, err);
    }
    return result == 0 ? w->take(w->context, holders, count, err) : -1;
}

static int all_read(struct limit_holders_reading *w, struct err *err)
{
    if (names_read(w, err) != 0)
        return -1;
    for (size_t at = 0; at < w->names.count; at += LIMIT_HOLDERS_BATCH) {
        size_t left = w->names.count - at;

        read_tell(w->reader, at, w->names.count);
        if (batch_read(w, w->names.items + at,
                       left < LIMIT_HOLDERS_BATCH ? left : LIMIT_HOLDERS_BATCH, err) != 0)
            return -1;
        arena_reset(&w->batch);
    }
    return 0;
}

int limit_holders_each(const struct setup *s, struct reader *r, int64_t now_s,
                       limit_holders_take *take, void *context, struct err *err)
{
    struct limit_holders_reading w = {
        .setup = s, .reader = r, .now_s = now_s, .take = take, .context = context};
    int result;

    arena_init(&w.kept, NAMES_BYTES);
    arena_init(&w.batch, BATCH_BYTES);
    result = all_read(&w, err);
    arena_fini(&w.batch);
    arena_fini(&w.kept);
    return result;
}
