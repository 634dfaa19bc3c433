#include "web/http_response.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sysexits.h>

#include "lib/core/hash.h"
#include "lib/sys/json.h"

/* No script, no style, no frame of another's; forms go to this site alone. */
#define POLICY                                                                                     \
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; form-action "        \
    "'self'; "                                                                                     \
    "base-uri 'none'; frame-ancestors 'none'"
#define A_YEAR "public, max-age=31536000, immutable"

void http_response_init(struct http_response *r)
{
    memset(r, 0, sizeof *r);
    buf_init(&r->body, HTTP_RESPONSE_MAX);
    http_response_reset(r, 200, HTTP_TYPE_HTML);
}

void http_response_fini(struct http_response *r)
{
    buf_fini(&r->body);
}

void http_response_reset(struct http_response *r, int status, const char *type)
{
    buf_reset(&r->body);
    r->status = status;
    r->type = type;
    r->is_static = r->has_etag = r->is_shared = false;
    r->location[0] = r->cookie[0] = r->file_name[0] = '\0';
    r->allow = r->authenticate = NULL;
    r->retry_after_s = r->age_s = 0;
}

void http_response_redirect(struct http_response *r, struct slice path)
{
    buf_reset(&r->body);
    r->status = 303;
    r->type = HTTP_TYPE_TEXT;
    if (path.len >= sizeof r->location || path.len == 0)
        path = SLICE("/");
    (void)snprintf(r->location, sizeof r->location, "%.*s", SLICE_FMT(path));
}

static ssize_t take(void *context, const char *bytes, size_t len)
{
    struct buf *body = context;

    buf_add(body, (struct slice){bytes, len});
    return body->failed ? -1 : (ssize_t)len;
}

/* Not by a stream in memory: a large report would be there twice. */
int http_response_json(struct http_response *r, const struct report_grid *g, struct err *err)
{
    FILE *out = fopencookie(&r->body, "w", (cookie_io_functions_t){.write = take});
    int result;

    if (out == NULL)
        return err_set(err, EX_OSERR, "out of memory");
    result = json_write_grid(g, out, err);
    if (fclose(out) != 0 && result == 0)
        result = err_set(err, EX_OSERR, "out of memory");
    return result;
}

void http_response_etag(const struct http_response *r, char etag[HTTP_ETAG_ROOM])
{
    (void)snprintf(etag, HTTP_ETAG_ROOM, "\"%016" PRIx64 "\"",
                   hash_add(HASH_BEGIN, buf_slice(&r->body)));
}

static void add_caching(const struct http_response *r, http_response_header *add, void *context)
{
    char etag[HTTP_ETAG_ROOM];

    add(context, "Cache-Control",
        r->is_static   ? A_YEAR
        : r->is_shared ? "public, max-age=" HTTP_SHARED_S
        : r->has_etag  ? "private, no-cache"
                       : "no-store");
    if (!r->has_etag)
        return;
    http_response_etag(r, etag);
    add(context, "ETag", etag);
}

static void add_number(const char *name, int64_t seconds, http_response_header *add, void *context)
{
    char text[24];

    if (seconds <= 0)
        return;
    (void)snprintf(text, sizeof text, "%" PRId64, seconds);
    add(context, name, text);
}

static void add_chosen(const struct http_response *r, http_response_header *add, void *context)
{
    char text[192];

    if (r->location[0] != '\0')
        add(context, "Location", r->location);
    if (r->cookie[0] != '\0')
        add(context, "Set-Cookie", r->cookie);
    if (r->allow != NULL)
        add(context, "Allow", r->allow);
    if (r->authenticate != NULL)
        add(context, "WWW-Authenticate", r->authenticate);
    add_number("Retry-After", r->retry_after_s, add, context);
    add_number("Age", r->age_s, add, context);
    if (r->file_name[0] != '\0') {
        (void)snprintf(text, sizeof text, "attachment; filename=\"%s\"", r->file_name);
        add(context, "Content-Disposition", text);
    }
}

void http_response_each_header(const struct http_response *r, http_response_header *add,
                               void *context)
{
    add(context, "Content-Type", r->type);
    add(context, "Content-Security-Policy", POLICY);
    add(context, "Referrer-Policy", "same-origin");
    add(context, "X-Content-Type-Options", "nosniff");
    add(context, "X-Frame-Options", "DENY");
    add(context, "Cross-Origin-Resource-Policy", r->is_shared ? "cross-origin" : "same-origin");
    add_caching(r, add, context);
    add_chosen(r, add, context);
}
