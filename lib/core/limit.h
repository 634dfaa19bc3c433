#ifndef TG_CORE_LIMIT_H
#define TG_CORE_LIMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/arena.h"
#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * Limits, plans and overrides. Pure: parsing, printing, and which limits are in force for an
 * account.
 *
 * A limit is named by its scope, metric and window ("domain/recipients/hour"); two limits of one
 * name in a plan may differ in action (log at 500, defer at 600) and share one window. What was
 * consumed belongs to the window, so a changed maximum keeps it.
 *
 * Units: windows in milliseconds; bytes in bytes.  Owner: the arena given.
 */

enum limit_scope { LIMIT_DOMAIN, LIMIT_USER, LIMIT_CUSTOMER, LIMIT_SERVER, LIMIT_CLIENT };
enum limit_metric {
    METRIC_RECIPIENTS,
    METRIC_MESSAGES,
    METRIC_BYTES,
    METRIC_BOUNCES,
    METRIC_COUNT
};
/* Weakest first: the strongest of the crossed limits wins. */
enum limit_action { ACTION_LOG, ACTION_HOLD, ACTION_DEFER, ACTION_REJECT };

#define LIMIT_UNLIMITED    UINT64_MAX
#define LIMIT_WINDOW_MONTH 0 /* window_ms of a calendar month */

struct limit {
    enum limit_scope scope;
    enum limit_metric metric;
    uint64_t max;      /* LIMIT_UNLIMITED: no limit; as an override it lifts the plan's */
    int64_t window_ms; /* 1 s .. 366 days, or LIMIT_WINDOW_MONTH */
    struct slice per;  /* as written, normalised: "10min", "hour", "7days", "month" */
    enum limit_action action;
    unsigned soft_percent; /* 1..99; 0: none */
    bool forwards;         /* may stop inbound mail of a forwarder */
    /* overrides only */
    struct slice subject; /* the one user or client that it is for; empty: all */
    int64_t until_s;      /* Unix seconds; 0: no end */
    struct slice reason, author;
};

struct plan {
    struct slice name;
    struct limit *limits;
    size_t count;
};

/* `10min`, `hour`, `day`, `7days`, `90s`, `month`: window and its normal form. */
int limit_parse_per(struct slice text, struct arena *arena, int64_t *window_ms, struct slice *per,
                    struct err *err) TG_MUST_USE;
/* `600`, `10GB` (bytes only), `unlimited`. */
int limit_parse_max(struct slice text, enum limit_metric metric, uint64_t *max,
                    struct err *err) TG_MUST_USE;
/* "domain/recipients/hour" */
int limit_parse_name(struct slice text, struct arena *arena, struct limit *out,
                     struct err *err) TG_MUST_USE;
void limit_name(const struct limit *l, struct buf *b) TG_NONNULL(1);
/* The same name, and of the same user or client. */
bool limit_same_name(const struct limit *a, const struct limit *b) TG_NONNULL(1);

const char *limit_scope_name(enum limit_scope s);
const char *limit_metric_name(enum limit_metric m);
const char *limit_action_name(enum limit_action a);
bool limit_scope_parse(struct slice text, enum limit_scope *s);
bool limit_metric_parse(struct slice text, enum limit_metric *m);
bool limit_action_parse(struct slice text, enum limit_action *a);

/* The field of an override: the limit's name; of one user or client, `alice@example.com
 * user/messages/hour`. */
int limit_parse_field(struct slice text, struct arena *arena, struct limit *out,
                      struct err *err) TG_MUST_USE;
void limit_field(const struct limit *l, struct buf *b) TG_NONNULL(1);
/* An override as the field and value of tg:{domain}:limits: value =
 * `max=600 action=defer soft=80 forwards=yes until=1793000000 author="root" reason="black friday"`.
 */
int limit_parse_override(struct slice field, struct slice value, struct arena *arena,
                         struct limit *out, struct err *err) TG_MUST_USE;
void limit_print_override(const struct limit *l, struct buf *value) TG_NONNULL(1);

/* The limits in force for an account at now_s (Unix time): those of the plan, where an override
 * replaces all limits of its name, and the overrides of other names. Unlimited and ended ones are
 * left out, but not unlimited ones of one user or client. -1: the arena's cap is reached. */
int limits_merge(const struct plan *plan, const struct limit *overrides, size_t override_count,
                 int64_t now_s, struct arena *arena, struct limit **limits,
                 size_t *count) TG_MUST_USE;
/* True where that one of `all` is in force for the subject (a user, a client; empty: none): its
 * own, or that of all where it has none of the name. */
bool limit_is_for(const struct limit *all, size_t count, const struct limit *l,
                  struct slice subject) TG_NONNULL(1);

#endif
