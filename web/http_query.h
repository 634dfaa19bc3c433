#ifndef TG_WEB_HTTP_QUERY_H
#define TG_WEB_HTTP_QUERY_H

#include <stddef.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * The parameters of an address or a form: "from=2026-11&sort=out_bytes"
 * (application/x-www-form-urlencoded). Nothing is dropped silently: what cannot be read, is given
 * twice or is not known to the page is an error that names the fix. A parameter without a value is
 * as good as none, since a form sends its empty fields.
 *
 * Owner: the arena given.  Pure.  Errors: EX_USAGE.
 * Limits: HTTP_QUERY_MAX parameters, HTTP_QUERY_VALUE_BYTES a value; texts are UTF-8 without
 * controls.
 */

#define HTTP_QUERY_MAX         24
#define HTTP_QUERY_VALUE_BYTES 1024
#define HTTP_QUERY_TOP         100000 /* rows of a list that one may ask for */

struct http_parameter {
    struct slice name, value;
};

struct http_query {
    struct http_parameter items[HTTP_QUERY_MAX];
    size_t count;
};

int http_query_parse(struct slice text, struct arena *arena, struct http_query *out,
                     struct err *err) TG_MUST_USE TG_NONNULL(2, 3);
/* Its value; ptr NULL where it is not given. */
struct slice http_query_get(const struct http_query *q, const char *name) TG_NONNULL(1, 2);
/* -1 where there is a parameter that is none of the names, which NULL ends. */
int http_query_allow(const struct http_query *q, const char *const *names,
                     struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

/* The parameter `top`, from 1 to `most`; where it is not given `standard`. */
int http_query_top(const struct http_query *q, size_t standard, size_t most, size_t *out,
                   struct err *err) TG_MUST_USE TG_NONNULL(1, 4);

/* Decodes %XX (and `+`, where `form`). ptr NULL: it is no UTF-8, holds a control, or memory is out.
 */
struct slice http_query_decode(struct slice text, bool form, struct arena *arena) TG_NONNULL(3);

#endif
