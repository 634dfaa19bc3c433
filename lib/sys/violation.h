#ifndef TG_SYS_VIOLATION_H
#define TG_SYS_VIOLATION_H

#include "lib/core/contract.h"
#include "lib/core/limit.h"
#include "lib/sys/log.h"

/*
 * A crossed limit as it is reported: the log line, the entries of the streams and the environment
 * of the notify program all take their fields from here.
 */

struct violation {
    int64_t time_ms;
    struct slice domain; /* whose limit: a domain, "@customer:4711", "@server", "@client:IP" */
    struct slice user;   /* who is charged, whichever the scope; empty: not known */
    struct slice login;  /* as authenticated; empty: none */
    enum limit_scope scope;
    enum limit_metric metric;
    uint64_t max, used, wanted;
    struct slice per;
    int64_t window_ms;
    enum limit_action action; /* what the limit says */
    int64_t retry_after_s;    /* -1: never */
    bool observed;            /* nothing was stopped */
    bool crossing;            /* the first stop after a time within the limit */
    bool soft;                /* no stop: the soft percentage is reached */
    bool peak;                /* of violations that had no line of their own: the highest value */
    struct slice queue_id, client, sender;
};

#define VIOLATION_FIELDS_MAX 16

/* "violation", "soft limit" or "peak" */
const char *violation_event(const struct violation *v) TG_NONNULL(1);
/* With its texts in the arena. -1: the arena's cap is reached. */
int violation_copy(const struct violation *v, struct arena *arena, struct violation *out,
                   struct err *err) TG_MUST_USE TG_NONNULL(1);
/* The user of a user's limit; else empty. */
struct slice violation_subject(const struct violation *v) TG_NONNULL(1);
/* The number of fields, which borrow from v and `text`. */
size_t violation_fields(const struct violation *v, struct buf *text, struct log_field *fields)
    TG_NONNULL(1);

#endif
