#include "lib/core/limit.h"

#include <inttypes.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/units.h"

#define SECOND_MS INT64_C(1000)
#define DAY_MS    (24 * 3600 * SECOND_MS)

static const char *const scope_names[] = {"domain", "user", "customer", "server", "client"};
static const char *const metric_names[] = {"recipients", "messages", "bytes", "bounces"};
static const char *const action_names[] = {"log", "hold", "defer", "reject"};

static bool name_find(struct slice text, const char *const *names, size_t count, size_t *index)
{
    for (*index = 0; *index < count; (*index)++) {
        if (slice_equal(text, slice_str(names[*index])))
            return true;
    }
    return false;
}

#define COUNT_OF(array) (sizeof(array) / sizeof(*(array)))

const char *limit_scope_name(enum limit_scope s)
{
    return scope_names[s];
}

const char *limit_metric_name(enum limit_metric m)
{
    return metric_names[m];
}

const char *limit_action_name(enum limit_action a)
{
    return action_names[a];
}

bool limit_scope_parse(struct slice text, enum limit_scope *s)
{
    size_t i;

    if (!name_find(text, scope_names, COUNT_OF(scope_names), &i))
        return false;
    *s = (enum limit_scope)i;
    return true;
}

bool limit_metric_parse(struct slice text, enum limit_metric *m)
{
    size_t i;

    if (!name_find(text, metric_names, COUNT_OF(metric_names), &i))
        return false;
    *m = (enum limit_metric)i;
    return true;
}

bool limit_action_parse(struct slice text, enum limit_action *a)
{
    size_t i;

    if (!name_find(text, action_names, COUNT_OF(action_names), &i))
        return false;
    *a = (enum limit_action)i;
    return true;
}

/* A number and a unit right behind it; without a number: 1. */
static bool take_number(struct slice text, uint64_t *number, struct slice *unit)
{
    size_t digits = 0;

    while (digits < text.len && text.ptr[digits] >= '0' && text.ptr[digits] <= '9')
        digits++;
    *unit = slice_trim(slice_from(text, digits));
    if (digits > 0)
        return slice_number(slice_to(text, digits), number);
    *number = 1;
    return true;
}

static int bad_per(struct slice text, struct err *err)
{
    return err_set(err, EX_DATAERR,
                   "\"%.*s\" is no window: write a time from 1s to 366days such as \"10min\", "
                   "\"hour\", \"day\", \"week\", or \"month\"",
                   SLICE_FMT(text));
}

static struct slice window_name(struct arena *arena, uint64_t ms)
{
    struct buf b;
    struct slice text;

    buf_init(&b, 64);
    units_format_window(&b, ms);
    text = arena_copy(arena, buf_slice(&b));
    buf_fini(&b);
    return text;
}

int limit_parse_per(struct slice text, struct arena *arena, int64_t *window_ms, struct slice *per,
                    struct err *err)
{
    struct slice name;
    uint64_t number, factor, ms;

    if (slice_equal(text, SLICE("month"))) {
        *window_ms = LIMIT_WINDOW_MONTH;
        *per = SLICE("month");
        return 0;
    }
    if (!take_number(text, &number, &name) || number == 0)
        return bad_per(text, err);
    factor = slice_equal(name, SLICE("week")) || slice_equal(name, SLICE("weeks"))
                 ? 7 * DAY_MS
                 : units_factor(UNITS_TIME, name);
    if (factor < SECOND_MS || __builtin_mul_overflow(number, factor, &ms) || ms > 366 * DAY_MS)
        return bad_per(text, err);
    *window_ms = (int64_t)ms;
    *per = window_name(arena, ms);
    return per->ptr == NULL ? err_set(err, EX_OSERR, "out of memory") : 0;
}

/* Bytes may have a unit, and then decimals: 1.5GB. */
static bool max_take(struct slice text, enum limit_metric metric, uint64_t *max)
{
    struct slice name;
    uint64_t factor;
    int64_t bytes;

    if (metric == METRIC_BYTES && units_parse(UNITS_SIZE, text, &bytes)) {
        *max = (uint64_t)bytes;
        return true;
    }
    if (text.len == 0 || text.ptr[0] < '0' || text.ptr[0] > '9' || !take_number(text, max, &name))
        return false;
    factor = units_factor(UNITS_SIZE, name);
    return factor > 0 && (metric == METRIC_BYTES || name.len == 0) &&
           !__builtin_mul_overflow(*max, factor, max);
}

int limit_parse_max(struct slice text, enum limit_metric metric, uint64_t *max, struct err *err)
{
    if (slice_equal(text, SLICE("unlimited"))) {
        *max = LIMIT_UNLIMITED;
        return 0;
    }
    if (!max_take(text, metric, max) || *max >= UINT64_C(1) << 53)
        return err_set(
            err, EX_DATAERR, "\"%.*s\" is not a valid maximum of %s: write %s, or \"unlimited\"",
            SLICE_FMT(text), limit_metric_name(metric),
            metric == METRIC_BYTES ? "a size such as \"10GB\"" : "a whole number such as \"600\"");
    return 0;
}

int limit_parse_name(struct slice text, struct arena *arena, struct limit *out, struct err *err)
{
    struct slice rest = text, scope, metric, per;

    if (!slice_cut(&rest, '/', &scope) || !slice_cut(&rest, '/', &metric) ||
        !slice_cut(&rest, '/', &per) || rest.ptr != NULL)
        return err_set(err, EX_DATAERR,
                       "\"%.*s\" names no limit: write scope/metric/window, such as "
                       "\"domain/recipients/hour\"",
                       SLICE_FMT(text));
    if (!limit_scope_parse(scope, &out->scope))
        return err_set(err, EX_DATAERR,
                       "\"%.*s\" is not a scope: use domain, user, server or client",
                       SLICE_FMT(scope));
    if (!limit_metric_parse(metric, &out->metric))
        return err_set(err, EX_DATAERR,
                       "\"%.*s\" is not a metric: use recipients, messages, bytes or bounces",
                       SLICE_FMT(metric));
    return limit_parse_per(per, arena, &out->window_ms, &out->per, err);
}

void limit_name(const struct limit *l, struct buf *b)
{
    buf_addf(b, "%s/%s/%.*s", limit_scope_name(l->scope), limit_metric_name(l->metric),
             SLICE_FMT(l->per));
}

bool limit_same_name(const struct limit *a, const struct limit *b)
{
    return a->scope == b->scope && a->metric == b->metric && a->window_ms == b->window_ms &&
           slice_equal(a->subject, b->subject);
}

static bool limit_holds(const struct limit *l, int64_t now_s)
{
    return l->until_s == 0 || now_s < l->until_s;
}

static bool is_overridden(const struct limit *l, const struct limit *overrides, size_t count,
                          int64_t now_s)
{
    for (size_t i = 0; i < count; i++) {
        if (limit_holds(&overrides[i], now_s) && limit_same_name(l, &overrides[i]))
            return true;
    }
    return false;
}

int limits_merge(const struct plan *plan, const struct limit *overrides, size_t override_count,
                 int64_t now_s, struct arena *arena, struct limit **limits, size_t *count)
{
    size_t planned = plan == NULL ? 0 : plan->count;
    struct limit *all = arena_array(arena, planned + override_count + 1, sizeof *all);

    if (all == NULL)
        return -1;
    *limits = all;
    *count = 0;
    for (size_t i = 0; i < planned; i++) {
        if (plan->limits[i].max != LIMIT_UNLIMITED &&
            !is_overridden(&plan->limits[i], overrides, override_count, now_s))
            all[(*count)++] = plan->limits[i];
    }
    for (size_t i = 0; i < override_count; i++) {
        if (limit_holds(&overrides[i], now_s) &&
            (overrides[i].max != LIMIT_UNLIMITED || overrides[i].subject.len > 0))
            all[(*count)++] = overrides[i];
    }
    return 0;
}

bool limit_is_for(const struct limit *all, size_t count, const struct limit *l,
                  struct slice subject)
{
    struct limit own = *l;

    if (l->max == LIMIT_UNLIMITED)
        return false;
    if (l->subject.len > 0 || subject.len == 0)
        return slice_equal(l->subject, subject);
    own.subject = subject;
    for (size_t i = 0; i < count; i++) {
        if (limit_same_name(&all[i], &own))
            return false;
    }
    return true;
}
