/* Socket maps: one request and one reply at a time over a connection that is used again. */
#include <stdlib.h>
#include <sysexits.h>

#include "lib/core/socketmap.h"
#include "lib/sources/lookup.h"
#include "lib/sys/clock.h"

#define KEY_MS      5000  /* for one key */
#define ALL_MS      60000 /* for all the keys of a message */
#define READ_BYTES  ((size_t)4096)
#define REQUEST_MAX ((size_t)100000)
#define REPLY_ROOM  (SOCKETMAP_REPLY_MAX + 16 + READ_BYTES)
#define LOST        (-2) /* the connection was gone: worth another try if it was an old one */

struct connection {
    struct transport transport;
    struct buf out, in;
};

static void *connection_new(const struct lookup *a, struct err *err)
{
    struct connection *c = calloc(1, sizeof *c);

    (void)a;
    if (c == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    c->transport = TRANSPORT_CLOSED;
    buf_init(&c->out, REQUEST_MAX);
    buf_init(&c->in, REPLY_ROOM);
    return c;
}

static void connection_free(void *connection)
{
    struct connection *c = connection;

    transport_close(&c->transport);
    buf_fini(&c->out);
    buf_fini(&c->in);
    free(c);
}

static int send_request(struct connection *c, int64_t deadline_ms, struct err *err)
{
    struct slice rest = buf_slice(&c->out);

    while (rest.len > 0) {
        ptrdiff_t n = transport_write(&c->transport, rest.ptr, rest.len, err);

        if (n < 0)
            return LOST;
        rest = slice_from(rest, (size_t)n);
        if (n == 0 && transport_wait(&c->transport, true, deadline_ms, err) != 0)
            return -1;
    }
    return 0;
}

static int not_a_map(struct err *err)
{
    return err_set(err, EX_UNAVAILABLE, "it does not speak the socketmap protocol");
}

/* *reply lies in c->in. More than one reply to one request is no map's way. */
static int read_reply(struct connection *c, struct slice *reply, int64_t deadline_ms,
                      struct err *err)
{
    for (;;) {
        struct slice rest = buf_slice(&c->in);
        int found = socketmap_netstring_take(&rest, SOCKETMAP_REPLY_MAX, reply);
        char *room;
        ptrdiff_t n;

        if (found < 0 || (found > 0 && rest.len > 0))
            return not_a_map(err);
        if (found > 0)
            return 0;
        if (transport_wait(&c->transport, false, deadline_ms, err) != 0)
            return -1;
        room = buf_space(&c->in, READ_BYTES); /* may move the bytes */
        if (room == NULL)
            return not_a_map(err);
        n = transport_read(&c->transport, room, READ_BYTES, err);
        if (n < 0)
            return c->in.len == 0 ? LOST : -1;
        c->in.len += (size_t)n;
    }
}

/* 1: found, 0: not found, -1 or LOST. The connection is closed where its state is not known. */
static int exchange(struct connection *c, struct arena *arena, struct slice *value,
                    int64_t deadline_ms, struct err *err)
{
    struct slice reply, found_value = SLICE_NONE;
    int result = send_request(c, deadline_ms, err);

    buf_reset(&c->in);
    if (result == 0)
        result = read_reply(c, &reply, deadline_ms, err);
    if (result != 0) {
        transport_close(&c->transport);
        return result;
    }
    result = socketmap_reply(reply, &found_value, err);
    if (result > 0) {
        *value = arena_copy(arena, found_value);
        if (value->ptr == NULL)
            return err_set(err, EX_OSERR, "out of memory");
    }
    return result;
}

static int ask_once(const struct lookup *a, struct connection *c, struct arena *arena,
                    struct slice *value, struct err *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + KEY_MS;

    if (!transport_is_open(&c->transport) &&
        transport_open(&c->transport, &a->endpoint, deadline_ms, err) != 0)
        return -1;
    return exchange(c, arena, value, deadline_ms, err);
}

static int ask_key(const struct lookup *a, struct connection *c, struct slice key,
                   struct arena *arena, struct slice *value, struct err *err)
{
    bool is_old = transport_is_open(&c->transport);
    int result;

    if (is_old && transport_is_stale(&c->transport)) {
        transport_close(&c->transport);
        is_old = false;
    }
    buf_reset(&c->out);
    socketmap_request(&c->out, a->name.key, key);
    if (c->out.failed)
        return 0; /* no map knows so long a key */
    result = ask_once(a, c, arena, value, err);
    if (result == LOST && is_old)
        result = ask_once(a, c, arena, value, err);
    return result == LOST ? -1 : result;
}

static int ask_keys(const struct lookup *a, struct connection *c, struct lookup_keys *k,
                    struct arena *arena, struct err *err)
{
    k->found = false;
    for (size_t i = 0; i < k->count; i++) {
        int result = ask_key(a, c, k->keys[i], arena, &k->value, err);

        if (result < 0)
            return -1;
        k->found = result > 0;
        k->at = i;
        if (k->found)
            break;
    }
    return 0;
}

static int ask(const struct lookup *a, void *connection, struct lookup_keys *list, size_t count,
               struct arena *arena, struct err *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + ALL_MS;
    char where[ENDPOINT_TEXT];
    int result = 0;

    for (size_t i = 0; result == 0 && i < count; i++) {
        result = ask_keys(a, connection, &list[i], arena, err);
        if (result == 0 && clock_monotonic_ms() > deadline_ms)
            result = err_set(err, EX_TEMPFAIL, "it is too slow for so many recipients");
    }
    transport_endpoint_text(&a->endpoint, where);
    return result == 0 ? 0 : err_prefix(err, "socketmap %s at %s", a->name.key.ptr, where);
}

static const struct lookup_kind socketmap = {connection_new, connection_free, ask};

static int keep_name(struct lookup *a, const struct source_name *name, struct err *err)
{
    const char *key = lookup_keep(a, name->key, err), *path = lookup_keep(a, name->path, err);
    const char *host = lookup_keep(a, name->host, err), *port = lookup_keep(a, name->port, err);

    if (key == NULL || path == NULL || host == NULL || port == NULL)
        return -1;
    a->name.key = (struct slice){key, name->key.len};
    a->endpoint.kind = name->path.len > 0 ? ENDPOINT_UNIX : ENDPOINT_TCP;
    a->endpoint.path = path;
    a->endpoint.host = host;
    a->endpoint.port = port;
    return 0;
}

struct lookup *lookup_socketmap_new(const struct source_name *name, struct err *err)
{
    struct lookup *a = lookup_new(&socketmap, err);

    if (a == NULL || keep_name(a, name, err) == 0)
        return a;
    lookup_free(a);
    return NULL;
}
