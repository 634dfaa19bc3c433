#ifndef TG_WEB_HTTP_REQUEST_H
#define TG_WEB_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/core/arena.h"
#include "lib/core/contract.h"
#include "lib/core/networks.h"
#include "lib/core/slice.h"

/*
 * A request as facts: what the handlers know of HTTP. The server (http_server) fills it; nothing
 * here knows a socket.
 *
 * Who is on the other side: the peer is who holds the connection. A peer that is trusted (on a Unix
 * socket, or in web.trusted) is a proxy, and says by X-Forwarded-For and X-Forwarded-Proto who the
 * client is; of anybody else these headers are ignored.
 *
 * Owner: slices are the exchange's.  Pure.
 */

#define HTTP_SEGMENTS_MAX 6
#define HTTP_BODY_MAX     ((size_t)8192)

enum http_method {
    HTTP_GET = 1,
    HTTP_HEAD = 2,
    HTTP_POST = 4,
    HTTP_PUT = 8,
    HTTP_DELETE = 16,
    HTTP_OTHER = 32
};

struct http_request {
    enum http_method method;
    struct slice target;                      /* as it came: path and query */
    struct slice path, query;                 /* its parts, still encoded */
    struct slice segments[HTTP_SEGMENTS_MAX]; /* of the path, decoded */
    size_t segment_count;
    struct slice body;
    bool
        is_doubled; /* a header that may stand once stands twice, or names a user that it may not */
    struct slice peer; /* its address; empty: on a Unix socket */
    bool is_tls;       /* the peer speaks TLS with us */
    /* Headers; empty: not there. */
    struct slice host, cookie, authorization, origin, fetch_site, forwarded_for, forwarded_proto;
    struct slice if_match, if_none_match, content_type, user_agent, accept;
    struct slice user; /* web.user_header */
};

/* Takes the target apart. False for a path that names nothing: no leading slash, empty or dot
 * segments, a slash or a control within one, bytes that are no UTF-8. */
bool http_request_target(struct http_request *r, struct slice target, struct arena *arena)
    TG_NONNULL(1, 3);
/* Takes one header in; `user_header` is the name that web.user_header gives ("": none). */
void http_request_header(struct http_request *r, const char *user_header, struct slice name,
                         struct slice value) TG_NONNULL(1, 2);
enum http_method http_request_method(const char *name) TG_NONNULL(1);

bool http_request_is_trusted(const struct http_request *r, const struct networks *trusted)
    TG_NONNULL(1, 2);
/* The client's address; empty where the proxy does not tell. */
struct slice http_request_client(const struct http_request *r, const struct networks *trusted)
    TG_NONNULL(1, 2);
/* Did the client speak TLS: with us, or, as a trusted proxy says, with that? */
bool http_request_is_secure(const struct http_request *r, const struct networks *trusted)
    TG_NONNULL(1, 2);

/* The value of that cookie; ptr NULL: none. */
struct slice http_request_cookie(const struct http_request *r, const char *name) TG_NONNULL(1, 2);
/* May the request change something? Only one that a page of this very site has sent: its Origin is
 * the host that was asked, and where the browser says where it came from, that is this origin. */
bool http_request_is_own(const struct http_request *r) TG_NONNULL(1);

#endif
