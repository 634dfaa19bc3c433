#ifndef TG_WEB_API_BODY_H
#define TG_WEB_API_BODY_H

#include <stdbool.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * What a program sends: one JSON object (RFC 8259) of texts, whole numbers and booleans. As with
 * forms nothing is dropped silently: a member that is unknown or given twice, a value of another
 * type, or one with controls is an error that names the fix.
 *
 * Owner: the arena given.  Pure.  Errors: EX_USAGE.  Limits: API_BODY_MAX members.
 */

#define API_BODY_MAX 16

struct api_body {
    struct api_member {
        struct slice name, value; /* a number in decimal, a boolean as "true" or "false" */
        bool is_bool;
    } items[API_BODY_MAX];
    size_t count;
};

/* `names`: the members that there may be, ended by NULL. */
int api_body_parse(struct slice text, const char *const *names, struct arena *arena,
                   struct api_body *out, struct err *err) TG_MUST_USE TG_NONNULL(2, 3, 4, 5);
/* Its value; ptr NULL where it is not there or null. */
struct slice api_body_get(const struct api_body *b, const char *name) TG_NONNULL(1, 2);
/* 1 true, 0 false, -1 not there; any other value is an error (-2). */
int api_body_flag(const struct api_body *b, const char *name, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2, 3);

#endif
