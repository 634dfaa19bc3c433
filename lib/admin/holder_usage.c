#include "lib/admin/holder_usage.h"

#include <stdlib.h>
#include <sysexits.h>

#include "lib/read/read_forecast.h"

#define USERS_LOOKED 50 /* of which the fullest are given: at least as many */

static struct usage_question question(const struct holder *h, const struct holder_limits *l)
{
    return (struct usage_question){
        .holder = h->name, .subject = h->subject, .limits = l->limits, .count = l->count};
}

int holder_usage_forecast(struct reader *r, const struct holder *h, const struct usage_rows *rows,
                          struct arena *arena, struct err *err)
{
    struct forecast_question *q = arena_array(arena, rows->count + 1, sizeof *q);

    if (q == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    for (size_t i = 0; i < rows->count; i++)
        q[i] = (struct forecast_question){h->name, &rows->list[i]};
    return read_forecast(r, q, rows->count, rows->now_ms / 1000, err);
}

int holder_usage_of(struct reader *r, const struct holder *h, const struct holder_limits *l,
                    const struct name_list *users, struct arena *arena, struct usage_rows *out,
                    struct err *err)
{
    struct usage_question q = question(h, l);

    return read_usage(r, &q, users, arena, out, err);
}

static int by_fullness(const void *a, const void *b)
{
    return read_usage_compare(a, b);
}

/* Behind the holder's own rows (which stand first) those of the fullest users. */
static void order_users(struct usage_rows *rows, size_t top)
{
    size_t own = 0;

    while (own < rows->count && rows->list[own].user.len == 0)
        own++;
    if (own == rows->count)
        return;
    qsort(rows->list + own, rows->count - own, sizeof *rows->list, by_fullness);
    if (rows->count - own > top)
        rows->count = own + top;
}

int holder_usage_read(struct reader *r, const struct holder *h, const struct holder_limits *l,
                      int64_t now_s, size_t top, struct arena *arena, struct usage_rows *out,
                      struct err *err)
{
    struct usage_question q = question(h, l);
    size_t most = top > 0 && top < USERS_LOOKED ? USERS_LOOKED : top;
    struct name_list users = {.count = 0};

    if (h->kind == HOLDER_IS_DOMAIN &&
        read_usage_busiest(r, &q, now_s, most, arena, &users, err) != 0)
        return -1;
    if (read_usage(r, &q, &users, arena, out, err) != 0)
        return -1;
    order_users(out, top);
    return 0;
}

static int rows_add(struct usage_rows *rows, const struct usage_rows *more, struct arena *arena,
                    struct err *err)
{
    struct usage_row *list = arena_array(arena, rows->count + more->count + 1, sizeof *list);

    if (list == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    for (size_t i = 0; i < rows->count + more->count; i++)
        list[i] = i < rows->count ? rows->list[i] : more->list[i - rows->count];
    rows->list = list;
    rows->count += more->count;
    rows->now_ms = more->now_ms;
    return 0;
}

int holder_usage_add_customer(const struct setup *s, struct reader *r, const struct holder *h,
                              int64_t now_s, struct arena *arena, struct usage_rows *rows,
                              struct err *err)
{
    struct slice name = holder_customer_of(s, h, arena);
    struct holder_limits *l = arena_alloc(arena, sizeof *l);
    struct name_list nobody = {.count = 0};
    struct usage_rows more;
    struct holder customer;

    if (name.len == 0)
        return 0;
    if (l == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    holder_of_account(s, name, &customer);
    if (holder_limits_read(s, &customer, now_s, arena, l, err) != 0)
        return -1;
    if (l->count == 0)
        return 0;
    if (holder_usage_of(r, &customer, l, &nobody, arena, &more, err) != 0)
        return -1;
    return rows_add(rows, &more, arena, err);
}
