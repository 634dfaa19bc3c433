#include "web/http_request.h"

#include <stddef.h>
#include <string.h>

#include "lib/sys/net.h"
#include "web/http_query.h"

/* --- the target ------------------------------------------------------------------------------ */

static bool add_segment(struct http_request *r, struct slice text, struct arena *arena)
{
    struct slice segment = http_query_decode(text, false, arena);

    if (segment.ptr == NULL || segment.len == 0 || slice_find(segment, '/') >= 0 ||
        slice_equal(segment, SLICE(".")) || slice_equal(segment, SLICE("..")) ||
        r->segment_count == HTTP_SEGMENTS_MAX)
        return false;
    r->segments[r->segment_count++] = segment;
    return true;
}

bool http_request_target(struct http_request *r, struct slice target, struct arena *arena)
{
    struct slice rest = target, part;

    r->target = target;
    (void)slice_cut(&rest, '?', &r->path);
    r->query = rest;
    if (r->path.len == 0 || r->path.ptr[0] != '/')
        return false;
    rest = slice_from(r->path, 1);
    while (rest.len > 0 && slice_cut(&rest, '/', &part)) {
        if (!add_segment(r, part, arena))
            return false;
    }
    return rest.ptr == NULL || r->path.len == 1; /* no slash at the end */
}

enum http_method http_request_method(const char *name)
{
    static const struct {
        const char *name;
        enum http_method method;
    } methods[] = {{"GET", HTTP_GET},
                   {"HEAD", HTTP_HEAD},
                   {"POST", HTTP_POST},
                   {"PUT", HTTP_PUT},
                   {"DELETE", HTTP_DELETE}};

    for (size_t i = 0; i < sizeof methods / sizeof methods[0]; i++) {
        if (strcmp(name, methods[i].name) == 0)
            return methods[i].method;
    }
    return HTTP_OTHER;
}

/* --- headers --------------------------------------------------------------------------------- */

static const struct header {
    const char *name;
    size_t at;
    bool joins; /* may stand twice: the later one is used, or none matters */
} headers[] = {
    {"Host", offsetof(struct http_request, host), false},
    {"Cookie", offsetof(struct http_request, cookie), false},
    {"Authorization", offsetof(struct http_request, authorization), false},
    {"Origin", offsetof(struct http_request, origin), false},
    {"Sec-Fetch-Site", offsetof(struct http_request, fetch_site), false},
    {"X-Forwarded-For", offsetof(struct http_request, forwarded_for), true},
    {"X-Forwarded-Proto", offsetof(struct http_request, forwarded_proto), false},
    {"If-Match", offsetof(struct http_request, if_match), false},
    {"If-None-Match", offsetof(struct http_request, if_none_match), true},
    {"Content-Type", offsetof(struct http_request, content_type), false},
    {"Accept", offsetof(struct http_request, accept), true},
    {"User-Agent", offsetof(struct http_request, user_agent), true},
};

static void take(struct http_request *r, struct slice *field, bool joins, struct slice value)
{
    if (field->ptr != NULL && !joins)
        r->is_doubled = true;
    *field = value.ptr != NULL ? value : SLICE("");
}

void http_request_header(struct http_request *r, const char *user_header, struct slice name,
                         struct slice value)
{
    for (size_t i = 0; i < sizeof headers / sizeof headers[0]; i++) {
        if (slice_equal_nocase(name, slice_str(headers[i].name)))
            take(r, (struct slice *)(void *)((char *)r + headers[i].at), headers[i].joins, value);
    }
    if (user_header[0] != '\0' && slice_equal_nocase(name, slice_str(user_header)))
        take(r, &r->user, false, value);
}

struct slice http_request_cookie(const struct http_request *r, const char *name)
{
    struct slice rest = r->cookie, pair, key;

    while (slice_cut(&rest, ';', &pair)) {
        pair = slice_trim(pair);
        (void)slice_cut(&pair, '=', &key);
        if (pair.ptr != NULL && slice_equal(key, slice_str(name)))
            return pair;
    }
    return SLICE_NONE;
}

/* --- who ------------------------------------------------------------------------------------- */

bool http_request_is_trusted(const struct http_request *r, const struct networks *trusted)
{
    struct ip ip;

    return r->peer.len == 0 || (networks_ip_parse(r->peer, &ip) && networks_contain(trusted, &ip));
}

struct slice http_request_client(const struct http_request *r, const struct networks *trusted)
{
    struct slice last;
    struct ip ip;

    if (!http_request_is_trusted(r, trusted))
        return r->peer;
    /* Each proxy adds whom it got the request from: the last word is our own proxy's. */
    last = slice_trim(
        slice_from(r->forwarded_for, (size_t)(slice_find_last(r->forwarded_for, ',') + 1)));
    return networks_ip_parse(last, &ip) ? last : r->peer;
}

bool http_request_is_secure(const struct http_request *r, const struct networks *trusted)
{
    if (http_request_is_trusted(r, trusted) && r->forwarded_proto.len > 0)
        return slice_equal_nocase(r->forwarded_proto, SLICE("https"));
    return r->is_tls;
}

bool http_request_is_own(const struct http_request *r)
{
    struct slice origin = r->origin;

    if (r->fetch_site.len > 0 && !slice_equal(r->fetch_site, SLICE("same-origin")))
        return false;
    if (slice_starts(origin, SLICE("https://")))
        origin = slice_from(origin, sizeof "https://" - 1);
    else if (slice_starts(origin, SLICE("http://")))
        origin = slice_from(origin, sizeof "http://" - 1);
    else
        return false;
    return r->host.len > 0 && slice_equal_nocase(origin, r->host);
}
