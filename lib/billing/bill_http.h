#ifndef TG_BILLING_BILL_HTTP_H
#define TG_BILLING_BILL_HTTP_H

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/slice.h"

/*
 * A request to a billing system, made by curl(1): a process of its own, which gets the request on
 * its standard input, so that no secret is in its arguments. Certificates are verified, redirects
 * are not followed, an answer has 1 MB and 60 s.
 *
 * Errors: EX_UNAVAILABLE where there is no answer, which says nothing about whether the request
 * arrived; EX_NOHOST where it did not arrive for certain.
 */

struct bill_http {
    const char *url;
    struct slice headers[4];    /* "Content-Type: ..."; empty: none */
    struct slice body;          /* sent as it is */
    const struct slice *fields; /* "name=value", to be sent as a form in place of a body */
    size_t field_count;
};

/* The HTTP status, with the answer's body; or -1. */
int bill_http_post(const struct bill_http *h, struct buf *answer, struct err *err) TG_MUST_USE
    TG_NONNULL(1, 2);

#endif
