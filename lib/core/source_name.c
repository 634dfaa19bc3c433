#include "lib/core/source_name.h"

#include <string.h>
#include <sysexits.h>

static int bad_name(struct slice text, struct err *err, const char *what)
{
    return err_set(err, EX_CONFIG, "source \"%.*s\": %s", SLICE_FMT(text), what);
}

static bool take_prefix(struct slice *rest, const char *prefix)
{
    struct slice p = slice_str(prefix);

    if (rest->len < p.len || memcmp(rest->ptr, p.ptr, p.len) != 0)
        return false;
    *rest = slice_from(*rest, p.len);
    return true;
}

static int keep(struct slice part, struct arena *arena, struct slice *out, struct err *err)
{
    *out = arena_copy(arena, part);
    return out->ptr != NULL ? 0 : err_set(err, EX_OSERR, "source: out of memory");
}

static int parse_path(struct slice text, struct slice rest, struct arena *arena,
                      struct source_name *out, struct err *err)
{
    if (rest.len == 0 || rest.ptr[0] != '/')
        return bad_name(text, err, "give an absolute path (one that begins with /)");
    return keep(rest, arena, &out->path, err);
}

static int parse_map_unix(struct slice text, struct slice rest, struct arena *arena,
                          struct source_name *out, struct err *err)
{
    ptrdiff_t colon = slice_find_last(rest, ':');

    if (colon <= 0 || (size_t)colon + 1 == rest.len)
        return bad_name(text, err, "the form is socketmap:unix:PATH:NAME");
    if (keep(slice_from(rest, (size_t)colon + 1), arena, &out->key, err) != 0)
        return -1;
    return parse_path(text, slice_to(rest, (size_t)colon), arena, out, err);
}

static int parse_map_inet(struct slice text, struct slice rest, struct arena *arena,
                          struct source_name *out, struct err *err)
{
    ptrdiff_t end = rest.len > 0 && rest.ptr[0] == '[' ? slice_find(rest, ']') : -1;
    struct slice host, port, left = slice_from(rest, end < 0 ? 0 : (size_t)end + 1);
    uint64_t number;

    if (!slice_cut(&left, ':', &host) || !slice_cut(&left, ':', &port) || left.len == 0)
        return bad_name(text, err, "the form is socketmap:inet:HOST:PORT:NAME");
    if (end >= 0) {
        if (host.len != 0)
            return bad_name(text, err, "after ] only :PORT:NAME may follow");
        host = slice_from(slice_to(rest, (size_t)end), 1);
    }
    if (host.len == 0 || host.len > 255)
        return bad_name(text, err, "the host is missing");
    if (!slice_number(port, &number) || number == 0 || number > 65535)
        return bad_name(text, err, "the port is not a number from 1 to 65535");
    if (keep(host, arena, &out->host, err) != 0 || keep(port, arena, &out->port, err) != 0)
        return -1;
    return keep(left, arena, &out->key, err);
}

int source_name_parse(struct slice text, struct arena *arena, struct source_name *out,
                      struct err *err)
{
    struct slice rest = text;

    *out = (struct source_name){.kind = SOURCE_FILE};
    if (memchr(text.ptr != NULL ? text.ptr : "", '\0', text.len) != NULL)
        return bad_name(text, err, "there is a NUL byte in it");
    if (take_prefix(&rest, "file:"))
        return parse_path(text, rest, arena, out, err);
    if (take_prefix(&rest, "postfix:")) {
        out->kind = SOURCE_POSTFIX;
        return parse_path(text, rest, arena, out, err);
    }
    if (take_prefix(&rest, "redis:")) {
        out->kind = SOURCE_REDIS;
        if (rest.len == 0)
            return bad_name(text, err, "the key is missing (redis:KEY)");
        return keep(rest, arena, &out->key, err);
    }
    out->kind = SOURCE_SOCKETMAP;
    if (take_prefix(&rest, "socketmap:unix:"))
        return parse_map_unix(text, rest, arena, out, err);
    if (take_prefix(&rest, "socketmap:inet:"))
        return parse_map_inet(text, rest, arena, out, err);
    return bad_name(text, err,
                    "unknown kind of source: use file:PATH, redis:KEY, postfix:DIR, "
                    "socketmap:unix:PATH:NAME or socketmap:inet:HOST:PORT:NAME");
}
