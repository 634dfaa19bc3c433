#include "web/http_server.h"

#include <microhttpd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/mutex.h"
#include "lib/sys/net.h"
#include "web/exchange.h"
#include "web/routes.h"

#define HEAD_BYTES      ((size_t)32 << 10)
#define STACK_BYTES     ((size_t)1 << 20)
#define ANSWER_MS       INT64_C(600000) /* in which a client has to read an answer */
#define STRICT          1
#define RETIRED_MS      10000 /* at the least */
#define DRAIN_STEP_MS   20
#define BODY_IGNORE_MAX ((size_t)1 << 20) /* read and thrown away before a refusal */

MUTEX_NAME(http_lock)

/* A connection, from accept to close: when what it does now began. */
struct http_connection {
    struct http_connection *next, *previous;
    int fd;
    int64_t since_ms;
    bool is_busy; /* a request has arrived and is being answered */
};

/* One that accepts nobody any more: another pair came after it. */
struct http_retired {
    struct http_retired *next;
    struct MHD_Daemon *daemon;
    int64_t since_ms;
};

struct http_server {
    struct site *site;
    const struct http_listen *listen;
    struct MHD_Daemon *daemons[HTTP_LISTEN_MAX]; /* one a socket */
    struct http_retired *retired;
    struct tls_pair pair;
    int64_t timeout_ms;
    struct mutex lock;
    struct http_connection *connections MUTEX_GUARDS(http_lock);
    size_t open MUTEX_GUARDS(http_lock); /* connections */
    size_t open_max;
    size_t busy MUTEX_GUARDS(http_lock);
};

/* --- connections ----------------------------------------------------------------------------- */

static void link_in(struct http_server *server, struct http_connection *c) TG_REQUIRES(http_lock)
{
    c->next = server->connections;
    if (c->next != NULL)
        c->next->previous = c;
    server->connections = c;
    server->open++;
}

static void unlink_from(struct http_server *server, struct http_connection *c)
    TG_REQUIRES(http_lock)
{
    if (c->previous != NULL)
        c->previous->next = c->next;
    else
        server->connections = c->next;
    if (c->next != NULL)
        c->next->previous = c->previous;
    server->open--;
    server->busy -= c->is_busy ? 1 : 0;
}

/* libmicrohttpd divides its limit by the threads and does not spread connections evenly, so that it
 * would refuse some with most of the room free. Each thread may have all; here is the sum. */
static enum MHD_Result on_accept(void *context, const struct sockaddr *from, socklen_t len)
{
    struct http_server *server = context;
    bool has_room;

    (void)from;
    (void)len;
    http_lock_take(&server->lock);
    has_room = server->open < server->open_max;
    http_lock_give(&server->lock);
    return has_room ? MHD_YES : MHD_NO;
}

static void on_connection(void *context, struct MHD_Connection *connection, void **mine,
                          enum MHD_ConnectionNotificationCode what)
{
    struct http_server *server = context;
    struct http_connection *c = *mine;

    if (what == MHD_CONNECTION_NOTIFY_STARTED) {
        c = calloc(1, sizeof *c);
        if (c == NULL)
            return;
        c->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        c->since_ms = clock_monotonic_ms();
        http_lock_take(&server->lock);
        link_in(server, c);
        http_lock_give(&server->lock);
    } else if (c != NULL) { /* called before the descriptor is closed */
        http_lock_take(&server->lock);
        unlink_from(server, c);
        http_lock_give(&server->lock);
        free(c);
        c = NULL;
    }
    *mine = c;
}

static void set_busy(struct http_server *server, struct MHD_Connection *connection, bool is_busy)
{
    struct http_connection *c =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT)->socket_context;

    if (c == NULL)
        return;
    http_lock_take(&server->lock);
    if (c->is_busy != is_busy)
        server->busy = is_busy ? server->busy + 1 : server->busy - 1;
    c->is_busy = is_busy;
    c->since_ms = clock_monotonic_ms();
    http_lock_give(&server->lock);
}

/* A connection that was accepted last is not among the connections yet. */
static bool is_over(const struct http_retired *one, int64_t now_ms)
{
    return now_ms - one->since_ms >= RETIRED_MS &&
           MHD_get_daemon_info(one->daemon, MHD_DAEMON_INFO_CURRENT_CONNECTIONS)->num_connections ==
               0;
}

/* Those that have no connection any more. */
static void end_retired(struct http_server *server, int64_t now_ms)
{
    struct http_retired **at = &server->retired, *one;

    while ((one = *at) != NULL) {
        if (!is_over(one, now_ms)) {
            at = &one->next;
            continue;
        }
        *at = one->next;
        MHD_stop_daemon(one->daemon);
        free(one);
    }
}

void http_server_watch(struct http_server *server, int64_t now_ms)
{
    end_retired(server, now_ms);
    http_lock_take(&server->lock);
    for (struct http_connection *c = server->connections; c != NULL; c = c->next) {
        if (now_ms - c->since_ms > (c->is_busy ? ANSWER_MS : server->timeout_ms))
            (void)shutdown(c->fd, SHUT_RDWR);
    }
    http_lock_give(&server->lock);
}

/* --- a request ------------------------------------------------------------------------------- */

/* Called once a request line has been read; NULL (out of memory) ends the request. */
static void *on_target(void *context, const char *target, struct MHD_Connection *connection)
{
    struct http_server *server = context;

    (void)connection;
    return exchange_new(server->site, slice_str(target));
}

static enum MHD_Result on_header(void *context, enum MHD_ValueKind kind, const char *name,
                                 const char *value)
{
    struct exchange *x = context;

    (void)kind;
    http_request_header(&x->request, x->settings->web.user_header, slice_str(name),
                        arena_copy(&x->arena, slice_str(value != NULL ? value : "")));
    return MHD_YES;
}

static void take_peer(struct exchange *x, struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *tls =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_GNUTLS_SESSION);
    const struct sockaddr *address =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS)->client_addr;
    char text[NET_ADDRESS_BYTES];

    x->request.is_tls = tls != NULL && tls->tls_session != NULL;
    if (address == NULL || (address->sa_family != AF_INET && address->sa_family != AF_INET6))
        return;
    net_address_text(address, text, NULL);
    x->request.peer = arena_copy(&x->arena, slice_str(text));
}

struct http_answer {
    struct MHD_Response *response;
};

static void add_header(void *context, const char *name, const char *value)
{
    struct http_answer *a = context;

    (void)MHD_add_response_header(a->response, name, value);
}

/* The body lives until on_completed. */
static enum MHD_Result queue(struct exchange *x, struct MHD_Connection *connection)
{
    struct http_response *r = &x->response;
    struct http_answer a = {
        MHD_create_response_from_buffer(r->body.len, r->body.data, MHD_RESPMEM_PERSISTENT)};
    enum MHD_Result result;

    if (a.response == NULL)
        return MHD_NO;
    http_response_each_header(r, add_header, &a);
    result = MHD_queue_response(connection, (unsigned)r->status, a.response);
    MHD_destroy_response(a.response);
    return result;
}

/* Keeps as much of the body as may be, and notes where there is more. */
static void take_body(struct exchange *x, const char *bytes, size_t len)
{
    struct slice *body = &x->request.body;
    size_t room = HTTP_BODY_MAX > body->len ? HTTP_BODY_MAX - body->len : 0;

    if (body->ptr == NULL)
        body->ptr = arena_alloc(&x->arena, HTTP_BODY_MAX);
    if (body->ptr != NULL && len <= room) {
        memcpy((char *)(uintptr_t)body->ptr + body->len, bytes, len);
        body->len += len;
    }
    x->body_bytes += len;
}

static enum MHD_Result on_request(void *context, struct MHD_Connection *connection, const char *url,
                                  const char *method, const char *version, const char *upload,
                                  size_t *upload_len, void **mine)
{
    struct http_server *server = context;
    struct exchange *x = *mine;

    (void)url;
    (void)version;
    if (x == NULL)
        return MHD_NO;
    if (!x->has_head) { /* the body, if there is one, is yet to come */
        x->has_head = true;
        x->request.method = http_request_method(method);
        (void)MHD_get_connection_values(connection, MHD_HEADER_KIND, on_header, x);
        take_peer(x, connection);
        return MHD_YES;
    }
    if (*upload_len > 0) {
        take_body(x, upload, *upload_len);
        *upload_len = 0;
        return x->body_bytes <= BODY_IGNORE_MAX ? MHD_YES : MHD_NO;
    }
    set_busy(server, connection, true);
    routes_answer(x);
    return queue(x, connection);
}

static void on_completed(void *context, struct MHD_Connection *connection, void **mine,
                         enum MHD_RequestTerminationCode why)
{
    (void)why;
    set_busy(context, connection, false);
    exchange_free(*mine);
    *mine = NULL;
}

/* --- start and stop -------------------------------------------------------------------------- */

static void TG_PRINTF(2, 0) on_complaint(void *context, const char *format, va_list ap)
{
    char text[256];

    (void)context;
    if (!log_wants(LOG_DEBUG))
        return;
    (void)vsnprintf(text, sizeof text, format, ap);
    log_event(LOG_DEBUG, "http", LOG_TEXT("text", slice_trim(slice_str(text))));
}

#define TLS_VERSIONS "SECURE128:%SERVER_PRECEDENCE:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2"

static struct MHD_Daemon *start_one(struct http_server *server, const struct http_listener *l,
                                    const struct settings *s)
{
    bool is_tls = !l->is_unix && s->web.tls_cert_file[0] != '\0';
    struct MHD_OptionItem tls[] = {
        {MHD_OPTION_HTTPS_MEM_KEY, 0, server->pair.key.data},
        {MHD_OPTION_HTTPS_MEM_CERT, 0, server->pair.cert.data},
        {MHD_OPTION_HTTPS_PRIORITIES, 0, (void *)(uintptr_t)TLS_VERSIONS},
        {MHD_OPTION_END, 0, NULL}};

    return MHD_start_daemon(
        (is_tls ? MHD_USE_TLS : MHD_NO_FLAG) | MHD_USE_EPOLL_INTERNAL_THREAD | MHD_USE_ITC |
            MHD_USE_ERROR_LOG,
        0, on_accept, server, on_request, server, MHD_OPTION_EXTERNAL_LOGGER, on_complaint, NULL,
        MHD_OPTION_LISTEN_SOCKET, l->fd, MHD_OPTION_THREAD_POOL_SIZE, (unsigned)HTTP_SERVER_THREADS,
        MHD_OPTION_THREAD_STACK_SIZE, STACK_BYTES, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)s->web.connections_max * HTTP_SERVER_THREADS, MHD_OPTION_PER_IP_CONNECTION_LIMIT,
        (unsigned)s->web.client_connections_max, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)((s->web.timeout_ms + 999) / 1000), MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        HEAD_BYTES, MHD_OPTION_STRICT_FOR_CLIENT, STRICT, MHD_OPTION_URI_LOG_CALLBACK, on_target,
        server, MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_NOTIFY_CONNECTION,
        on_connection, server, MHD_OPTION_ARRAY, is_tls ? tls : tls + 3, MHD_OPTION_END);
}

static int start_all(struct http_server *server, const struct settings *s, struct err *err)
{
    for (size_t i = 0; i < server->listen->count; i++) {
        server->daemons[i] = start_one(server, &server->listen->list[i], s);
        if (server->daemons[i] == NULL)
            return err_set(err, EX_OSERR, "libmicrohttpd cannot serve %s", s->web.listen.items[i]);
    }
    return 0;
}

static void take_pair(struct http_server *server, struct tls_pair *pair)
{
    tls_pair_fini(&server->pair);
    server->pair = *pair;
    tls_pair_init(pair);
}

struct http_server *http_server_start(struct site *site, const struct http_listen *l,
                                      const struct settings *s, struct tls_pair *pair,
                                      struct err *err)
{
    struct http_server *server = calloc(1, sizeof *server);

    if (server == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    server->site = site;
    server->listen = l;
    server->timeout_ms = s->web.timeout_ms;
    server->open_max = (size_t)s->web.connections_max * l->count;
    mutex_init(&server->lock);
    tls_pair_init(&server->pair);
    take_pair(server, pair);
    if (start_all(server, s, err) == 0)
        return server;
    http_server_stop(server, 0);
    return NULL;
}

/* Both accept for a moment; then the old one has its connections alone. */
static int replace(struct http_server *server, size_t i, const struct settings *s, struct err *err)
{
    struct http_retired *old = calloc(1, sizeof *old);
    struct MHD_Daemon *fresh;

    fresh = old != NULL ? start_one(server, &server->listen->list[i], s) : NULL;
    if (fresh == NULL) {
        free(old);
        return err_set(err, EX_OSERR, "libmicrohttpd cannot serve %s with the new certificate",
                       s->web.listen.items[i]);
    }
    (void)MHD_quiesce_daemon(server->daemons[i]);
    old->daemon = server->daemons[i];
    old->since_ms = clock_monotonic_ms();
    old->next = server->retired;
    server->retired = old;
    server->daemons[i] = fresh;
    return 0;
}

int http_server_renew(struct http_server *server, const struct settings *s, struct tls_pair *pair,
                      struct err *err)
{
    int result = 0;

    if (tls_pair_equal(pair, &server->pair))
        return 0;
    take_pair(server, pair);
    for (size_t i = 0; result == 0 && i < server->listen->count; i++) {
        if (!server->listen->list[i].is_unix)
            result = replace(server, i, s, err);
    }
    return result;
}

static bool is_idle(struct http_server *server)
{
    bool idle;

    http_lock_take(&server->lock);
    idle = server->busy == 0;
    http_lock_give(&server->lock);
    return idle;
}

static void stop_retired(struct http_server *server)
{
    struct http_retired *one;

    while ((one = server->retired) != NULL) {
        server->retired = one->next;
        MHD_stop_daemon(one->daemon);
        free(one);
    }
}

void http_server_stop(struct http_server *server, int64_t until_ms)
{
    if (server == NULL)
        return;
    for (size_t i = 0; i < server->listen->count && server->daemons[i] != NULL; i++)
        (void)MHD_quiesce_daemon(server->daemons[i]);
    while (!is_idle(server) && clock_monotonic_ms() < until_ms)
        clock_sleep_ms(DRAIN_STEP_MS);
    for (size_t i = 0; i < server->listen->count && server->daemons[i] != NULL; i++)
        MHD_stop_daemon(server->daemons[i]);
    stop_retired(server);
    tls_pair_fini(&server->pair);
    mutex_fini(&server->lock);
    free(server);
}
