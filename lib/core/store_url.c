#include "lib/core/store_url.h"

#include <string.h>
#include <sysexits.h>

#include "lib/core/buf.h"

#define DB_MAX 65535

static int bad_url(struct err *err, const char *what)
{
    return err_set(err, EX_CONFIG,
                   "store.url: %s: use \"private:\", \"unix:///path\", \"redis://host:port/db\", "
                   "\"sentinel://host:port,host:port/name\" or \"cluster://host:port,host:port\"; "
                   "with TLS \"rediss://\", \"rediss+sentinel://\", \"rediss+cluster://\"",
                   what);
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = slice_ascii_lower(c);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* Resolves %HH into the arena. A NUL is refused: these texts become C strings. */
static int decode(struct slice text, struct arena *arena, struct slice *out, struct err *err)
{
    char *to = arena_alloc(arena, text.len + 1);
    size_t len = 0;

    if (to == NULL)
        return err_set(err, EX_OSERR, "store.url: out of memory");
    for (size_t i = 0; i < text.len; i++) {
        char c = text.ptr[i];

        if (c == '%') {
            int high = text.len - i > 2 ? hex_digit(text.ptr[i + 1]) : -1;
            int low = text.len - i > 2 ? hex_digit(text.ptr[i + 2]) : -1;

            if (high < 0 || low < 0)
                return bad_url(err, "% must be followed by two hexadecimal digits");
            c = (char)(high * 16 + low);
            i += 2;
        }
        if (c == '\0')
            return bad_url(err, "it has a NUL byte");
        to[len++] = c;
    }
    *out = (struct slice){to, len};
    return 0;
}

/* Takes `username:password@` off the front of *rest, where it is there. */
static int take_login(struct slice *rest, struct arena *arena, struct store_url *out,
                      struct err *err)
{
    ptrdiff_t at = slice_find_last(*rest, '@'), colon;
    struct slice login, password = SLICE_NONE;

    if (at < 0)
        return 0;
    login = slice_to(*rest, (size_t)at);
    *rest = slice_from(*rest, (size_t)at + 1);
    colon = slice_find(login, ':');
    if (colon >= 0) {
        password = slice_from(login, (size_t)colon + 1);
        login = slice_to(login, (size_t)colon);
    }
    if (password.len == 0)
        return bad_url(err, "@ without a password before it");
    if (decode(login, arena, &out->username, err) != 0)
        return -1;
    return decode(password, arena, &out->password, err);
}

static int parse_db(struct slice text, struct store_url *out, struct err *err)
{
    uint64_t db = 0;

    if (text.len > 0 && (!slice_number(text, &db) || db > DB_MAX))
        return bad_url(err, "the database is not a number");
    out->db = (unsigned)db;
    return 0;
}

static int parse_unix(struct slice rest, struct arena *arena, struct store_url *out,
                      struct err *err)
{
    ptrdiff_t slash = slice_find(rest, '/'), query;
    struct slice login, db = SLICE_NONE;

    if (slash < 0)
        return bad_url(err, "unix:// must be followed by an absolute path");
    login = slice_to(rest, (size_t)slash);
    rest = slice_from(rest, (size_t)slash);
    if (take_login(&login, arena, out, err) != 0)
        return -1;
    if (login.len != 0)
        return bad_url(err, "unix:// must be followed by an absolute path");
    query = slice_find(rest, '?');
    if (query >= 0) {
        db = slice_from(rest, (size_t)query + 1);
        rest = slice_to(rest, (size_t)query);
        if (!slice_starts_nocase(db, SLICE("db=")) || db.len == 3)
            return bad_url(err, "only db=NUMBER may follow ?");
        db = slice_from(db, 3);
    }
    if (parse_db(db, out, err) != 0)
        return -1;
    return decode(rest, arena, &out->path, err);
}

/* Splits host, host:port, [v6] and [v6]:port. */
static int split_host(struct slice text, struct store_host *out, struct err *err)
{
    ptrdiff_t colon = slice_find_last(text, ':'), end = slice_find(text, ']');
    bool literal = text.len > 0 && text.ptr[0] == '[';

    out->host = text;
    if (literal && end < 0)
        return bad_url(err, "[ without ]");
    if (colon > end) {
        out->host = slice_to(text, (size_t)colon);
        out->port = slice_from(text, (size_t)colon + 1);
    }
    if (literal) {
        if ((size_t)end + 1 != out->host.len)
            return bad_url(err, "only :port may follow ]");
        out->host = slice_from(slice_to(out->host, (size_t)end), 1);
    } else if (slice_find(out->host, ':') >= 0) {
        return bad_url(err, "an IPv6 address needs brackets: redis://[::1]:6379");
    }
    return 0;
}

static int parse_host(struct slice text, struct slice usual_port, struct arena *arena,
                      struct store_host *out, struct err *err)
{
    uint64_t number;

    out->port = usual_port;
    if (split_host(text, out, err) != 0)
        return -1;
    if (out->host.len == 0 || out->host.len > 255 ||
        memchr(out->host.ptr, '\0', out->host.len) != NULL)
        return bad_url(err, "the host is missing");
    if (!slice_number(out->port, &number) || number == 0 || number > 65535)
        return bad_url(err, "the port is not a number from 1 to 65535");
    out->host = arena_copy(arena, out->host);
    out->port = arena_copy(arena, out->port);
    if (out->host.ptr == NULL || out->port.ptr == NULL)
        return err_set(err, EX_OSERR, "store.url: out of memory");
    return 0;
}

/* [login@]host,host,... */
static int parse_hosts(struct slice rest, size_t max, struct arena *arena, struct store_url *out,
                       struct err *err)
{
    struct slice port = out->scheme == STORE_SENTINEL ? SLICE("26379") : SLICE("6379"), host;

    if (take_login(&rest, arena, out, err) != 0)
        return -1;
    out->hosts = arena_array(arena, STORE_URL_HOSTS_MAX, sizeof *out->hosts);
    if (out->hosts == NULL)
        return err_set(err, EX_OSERR, "store.url: out of memory");
    if (rest.len == 0)
        return bad_url(err, "the host is missing");
    while (slice_cut(&rest, ',', &host)) {
        if (out->host_count == max)
            return bad_url(err, max == 1 ? "only one host is possible"
                                         : "more than 32 hosts: name some of them");
        if (parse_host(host, port, arena, &out->hosts[out->host_count++], err) != 0)
            return -1;
    }
    return 0;
}

static int parse_tcp(struct slice rest, struct arena *arena, struct store_url *out, struct err *err)
{
    ptrdiff_t slash;

    /* The password may hold a slash only as %2F, so the first one begins the database. */
    slash = slice_find(rest, '/');
    if (slash >= 0) {
        if (parse_db(slice_from(rest, (size_t)slash + 1), out, err) != 0)
            return -1;
        rest = slice_to(rest, (size_t)slash);
    }
    return parse_hosts(rest, 1, arena, out, err);
}

static int parse_sentinel(struct slice rest, struct arena *arena, struct store_url *out,
                          struct err *err)
{
    struct slice hosts = SLICE_NONE, name = SLICE_NONE;

    (void)slice_cut(&rest, '/', &hosts);
    (void)slice_cut(&rest, '/', &name);
    if (name.len == 0)
        return bad_url(err, "the name of the master is missing behind the sentinels");
    if (decode(name, arena, &out->master, err) != 0 || parse_db(rest, out, err) != 0)
        return -1;
    return parse_hosts(hosts, STORE_URL_HOSTS_MAX, arena, out, err);
}

static int parse_cluster(struct slice rest, struct arena *arena, struct store_url *out,
                         struct err *err)
{
    ptrdiff_t slash = slice_find(rest, '/');

    if (slash >= 0 && (size_t)slash + 1 < rest.len)
        return bad_url(err, "a cluster has no databases: nothing may follow the hosts");
    if (slash >= 0)
        rest = slice_to(rest, (size_t)slash);
    return parse_hosts(rest, STORE_URL_HOSTS_MAX, arena, out, err);
}

struct form {
    const char *start;
    enum store_scheme scheme;
    bool tls;
    int (*parse)(struct slice rest, struct arena *arena, struct store_url *out, struct err *err);
};

static const struct form forms[] = {
    {"unix://", STORE_UNIX, false, parse_unix},
    {"redis://", STORE_TCP, false, parse_tcp},
    {"rediss://", STORE_TCP, true, parse_tcp},
    {"sentinel://", STORE_SENTINEL, false, parse_sentinel},
    {"rediss+sentinel://", STORE_SENTINEL, true, parse_sentinel},
    {"cluster://", STORE_CLUSTER, false, parse_cluster},
    {"rediss+cluster://", STORE_CLUSTER, true, parse_cluster},
};

int store_url_parse(struct slice text, struct arena *arena, struct store_url *out, struct err *err)
{
    *out = (struct store_url){.scheme = STORE_PRIVATE};
    if (slice_equal(text, SLICE("private:")))
        return 0;
    for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
        struct slice start = slice_str(forms[i].start);

        if (!slice_starts_nocase(text, start))
            continue;
        out->scheme = forms[i].scheme;
        out->tls = forms[i].tls;
        return forms[i].parse(slice_from(text, start.len), arena, out, err);
    }
    return bad_url(err, "unknown kind of store");
}

struct slice store_url_masked(struct slice text, struct arena *arena)
{
    ptrdiff_t begin = slice_find(text, '/'), at = slice_find_last(text, '@'), colon;
    struct slice head, copy;
    char *to;

    if (begin < 0 || at < 0)
        return text;
    head = slice_from(slice_to(text, (size_t)at), (size_t)begin + 2);
    colon = slice_find(head, ':');
    if (colon < 0)
        return text;
    head = slice_to(text, (size_t)(begin + 2 + colon + 1));
    text = slice_from(text, (size_t)at);
    to = arena_alloc(arena, head.len + 3 + text.len + 1);
    if (to == NULL)
        return SLICE_NONE;
    copy = (struct slice){to, head.len + 3 + text.len};
    memcpy(to, head.ptr, head.len);
    memcpy(to + head.len, "***", 3);
    memcpy(to + head.len + 3, text.ptr, text.len);
    return copy;
}
