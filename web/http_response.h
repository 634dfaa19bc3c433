#ifndef TG_WEB_HTTP_RESPONSE_H
#define TG_WEB_HTTP_RESPONSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/core/buf.h"
#include "lib/core/contract.h"
#include "lib/core/err.h"
#include "lib/core/report_grid.h"

/*
 * An answer: status, body, and the few headers that handlers choose. The headers that every answer
 * has (security, caching) follow from it in http_response_each_header, the only place.
 *
 * Owner: http_response_init/http_response_fini.  Limits: HTTP_RESPONSE_MAX bytes of body.
 */

#define HTTP_RESPONSE_MAX ((size_t)256 << 20)
#define HTTP_HEADER_ROOM  2200

#define HTTP_SHARED_S     "300"

#define HTTP_TYPE_HTML    "text/html; charset=utf-8"
#define HTTP_TYPE_TEXT    "text/plain; charset=utf-8"
#define HTTP_TYPE_CSV     "text/csv; charset=utf-8"
#define HTTP_TYPE_JSON    "application/json"
#define HTTP_TYPE_PROBLEM "application/problem+json"
#define HTTP_TYPE_SVG     "image/svg+xml"

struct http_response {
    int status;
    const char *type;
    struct buf body;
    bool is_static; /* may be kept for a year */
    bool has_etag;  /* of the body; without, nothing of it may be stored */
    bool is_shared; /* a picture that any site may show, and keep for HTTP_SHARED_S */
    /* "": none. */
    char location[HTTP_HEADER_ROOM], cookie[256], file_name[128];
    const char *allow, *authenticate; /* NULL: none */
    int64_t retry_after_s;            /* 0: none */
    int64_t age_s;                    /* of figures that were not read for this answer; 0: none */
};

void http_response_init(struct http_response *r) TG_NONNULL(1);
void http_response_fini(struct http_response *r);
/* An empty body again, and no headers. */
void http_response_reset(struct http_response *r, int status, const char *type) TG_NONNULL(1, 3);
/* 303: GET that path of this site. Keeps the cookie. */
void http_response_redirect(struct http_response *r, struct slice path) TG_NONNULL(1);

/* Adds a grid to the body, as JSON. EX_OSERR. */
int http_response_json(struct http_response *r, const struct report_grid *g,
                       struct err *err) TG_MUST_USE TG_NONNULL(1, 2);

/* The ETag of its body, with quotes. */
#define HTTP_ETAG_ROOM 20
void http_response_etag(const struct http_response *r, char etag[HTTP_ETAG_ROOM]) TG_NONNULL(1);

typedef void http_response_header(void *context, const char *name, const char *value);
void http_response_each_header(const struct http_response *r, http_response_header *add,
                               void *context) TG_NONNULL(1, 2);

#endif
