#include "lib/sys/socket_name.h"

#include <stdbool.h>
#include <string.h>
#include <sys/un.h>
#include <sysexits.h>

static int no_memory(struct err *err)
{
    return err_set(err, EX_OSERR, "out of memory");
}

static const char *copy(struct arena *arena, struct slice s)
{
    return arena_copy(arena, s).ptr;
}

static bool take_prefix(struct slice *s, const char *prefix)
{
    size_t len = strlen(prefix);

    if (s->len < len || memcmp(s->ptr, prefix, len) != 0)
        return false;
    *s = (struct slice){s->ptr + len, s->len - len};
    return true;
}

static bool is_port(struct slice text, uint16_t *port)
{
    uint64_t n;

    if (!slice_number(text, &n) || n < 1 || n > 65535)
        return false;
    *port = (uint16_t)n;
    return true;
}

static bool is_host(struct slice text)
{
    for (size_t i = 0; i < text.len; i++) {
        unsigned char c = (unsigned char)text.ptr[i];

        if (c <= ' ' || c == 0x7f || strchr("@/[]\"\\", c) != NULL)
            return false;
    }
    return text.len > 0 && text.len <= 255;
}

/* A host, in brackets where it holds colons; *bracketed says whether. */
static bool strip_brackets(struct slice *host)
{
    if (host->len < 2 || host->ptr[0] != '[' || host->ptr[host->len - 1] != ']')
        return false;
    *host = (struct slice){host->ptr + 1, host->len - 2};
    return true;
}

/* host:port, the host with colons only in brackets. */
static bool split_host_port(struct slice text, struct slice *host, uint16_t *port)
{
    ptrdiff_t colon = slice_find_last(text, ':');

    if (colon < 0 || !is_port(slice_from(text, (size_t)colon + 1), port))
        return false;
    *host = slice_to(text, (size_t)colon);
    if (!strip_brackets(host) && slice_find(*host, ':') >= 0)
        return false;
    return is_host(*host);
}

static bool split_port_at_host(struct slice text, struct slice *host, uint16_t *port)
{
    ptrdiff_t at = slice_find(text, '@');

    if (at < 0 || !is_port(slice_to(text, (size_t)at), port))
        return false;
    *host = slice_from(text, (size_t)at + 1);
    (void)strip_brackets(host);
    return is_host(*host);
}

/* The limit is sun_path's; a longer one would be truncated when the socket is opened. */
static int settings_check_socket_path(struct slice path, struct err *err)
{
    size_t most = sizeof((struct sockaddr_un *)NULL)->sun_path - 1;

    if (path.len == 0 || path.ptr[0] != '/')
        return err_set(err, EX_CONFIG, "\"%.*s\" is not an absolute path: begin it with /",
                       SLICE_FMT(path));
    if (path.len > most)
        return err_set(err, EX_CONFIG, "the path of a socket has at most %zu bytes: shorten it",
                       most);
    return 0;
}

static int socket_family(struct slice *rest, struct socket_name *out)
{
    if (take_prefix(rest, "unix:") || take_prefix(rest, "local:"))
        out->family = SOCKET_UNIX;
    else if (take_prefix(rest, "inet:"))
        out->family = SOCKET_INET;
    else if (take_prefix(rest, "inet6:"))
        out->family = SOCKET_INET6;
    else
        return -1;
    return 0;
}

int socket_name_parse(struct slice text, struct arena *arena, struct socket_name *out,
                      struct err *err)
{
    struct slice rest = text, host;

    *out = (struct socket_name){0};
    if (socket_family(&rest, out) != 0)
        return err_set(err, EX_CONFIG,
                       "\"%.*s\" is not a socket: write \"unix:/path\", \"inet:port@host\" or "
                       "\"inet6:port@host\"",
                       SLICE_FMT(text));
    if (out->family == SOCKET_UNIX) {
        if (settings_check_socket_path(rest, err) != 0)
            return -1;
        out->path = copy(arena, rest);
        return out->path == NULL ? no_memory(err) : 0;
    }
    if (!split_port_at_host(rest, &host, &out->port) && !split_host_port(rest, &host, &out->port))
        return err_set(err, EX_CONFIG,
                       "\"%.*s\" is not a socket: write port (1 to 65535) and host as "
                       "\"inet:8890@127.0.0.1\", with IPv6 as \"inet6:8890@[::1]\"",
                       SLICE_FMT(text));
    out->host = copy(arena, host);
    return out->host == NULL ? no_memory(err) : 0;
}

int socket_name_host_port_parse(struct slice text, struct arena *arena, struct socket_name *out,
                                struct err *err)
{
    struct slice host;

    *out = (struct socket_name){.family = SOCKET_INET};
    if (!split_host_port(text, &host, &out->port))
        return err_set(err, EX_CONFIG,
                       "\"%.*s\" is not a host and port: write \"127.0.0.1:25\", \"[::1]:25\" or "
                       "\"mx.example.com:25\"",
                       SLICE_FMT(text));
    out->host = copy(arena, host);
    return out->host == NULL ? no_memory(err) : 0;
}
