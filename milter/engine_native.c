#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/log.h"
#include "lib/sys/net.h"
#include "lib/sys/socket_name.h"
#include "milter/engine.h"
#include "milter/engine_loop.h"
#include "milter/listen.h"

/*
 * The native engine: some loops (milter/engine_loop.h), one a thread, that accept from one
 * listening socket. The protocol itself is lib/core/milter_server.h.
 */

enum { LOOPS_DEFAULT_MAX = 4, BACKLOG = 4096, HANDOVER_MS = 3000 };

/* A global, as that of the other engine: there is one in a process. */
static struct {
    struct engine_shared shared;
    struct listen_socket listen;
    bool is_unix;
    struct engine_heritage heritage;
    struct engine_loop loops[SETTINGS_THREADS_MAX];
    unsigned loop_count;
} native = {.shared = {.listener = -1, .wake = -1}};

/* --- listening
 * ------------------------------------------------------------------------------------------- */

static int open_unix(const struct settings *s, const struct socket_name *name, int owner,
                     struct err *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    if (listen_prepare(&native.listen, name->path, err) != 0)
        return -1;
    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s", native.listen.made);
    native.shared.listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (native.shared.listener < 0 ||
        bind(native.shared.listener, (struct sockaddr *)&a, sizeof a) != 0 ||
        listen(native.shared.listener, BACKLOG) != 0)
        return listen_failed(s->milter.socket, err);
    native.is_unix = true;
    return listen_place(&native.listen, s->milter.mode, owner, s->milter.group, err);
}

static int listen_at(const struct addrinfo *a)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), yes = 1;

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static int open_inet(const struct settings *s, const struct socket_name *name, struct err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM,
                             .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                             .ai_family = name->family == SOCKET_INET6 ? AF_INET6 : AF_INET};
    struct addrinfo *list = NULL;
    char port[8];

    (void)snprintf(port, sizeof port, "%u", (unsigned)name->port);
    if (getaddrinfo(name->host, port, &hints, &list) != 0)
        return err_set(err, EX_CONFIG, "milter.socket: %s: unknown host", s->milter.socket);
    native.shared.listener = listen_at(list);
    freeaddrinfo(list);
    return native.shared.listener >= 0 ? 0 : listen_failed(s->milter.socket, err);
}

/* Was it bound to that path, or to the name that listen_prepare makes of it? */
static bool is_bound_to_path(int fd, const char *path)
{
    struct sockaddr_un a = {0};
    socklen_t len = sizeof a - 1;
    struct slice bound;
    uint64_t pid;

    if (getsockname(fd, (struct sockaddr *)&a, &len) != 0 || a.sun_family != AF_UNIX)
        return false;
    bound = slice_str(a.sun_path);
    if (!slice_starts(bound, slice_str(path)))
        return false;
    bound = slice_from(bound, strlen(path));
    return bound.len == 0 || (bound.ptr[0] == '.' && slice_number(slice_from(bound, 1), &pid));
}

static bool is_bound_to_host(int fd, const struct socket_name *name)
{
    struct sockaddr_storage a = {0};
    socklen_t len = sizeof a;
    char text[NET_ADDRESS_BYTES];
    uint16_t port;

    if (getsockname(fd, (struct sockaddr *)&a, &len) != 0 ||
        (a.ss_family != AF_INET && a.ss_family != AF_INET6))
        return false;
    net_address_text((struct sockaddr *)&a, text, &port);
    return port == name->port && strcmp(text, name->host) == 0;
}

/* The listening socket of a predecessor, or of the supervisor; where milter.socket has changed it
 * is of no use. */
static bool adopt(const struct socket_name *name)
{
    int fd, flags;

    engine_heritage_open(&native.heritage, &fd);
    if (fd < 0)
        return false;
    flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && fcntl(fd, F_SETFL, flags | O_NONBLOCK) == 0 &&
        (name->family == SOCKET_UNIX
             ? is_bound_to_path(fd, name->path) && listen_adopt(&native.listen, name->path)
             : is_bound_to_host(fd, name))) {
        native.shared.listener = fd;
        native.is_unix = name->family == SOCKET_UNIX;
        return true;
    }
    (void)close(fd);
    engine_handover_drop_listener();
    return false;
}

static int open_engine(const struct settings *settings, int owner, struct err *err)
{
    struct arena arena;
    struct socket_name name;
    int done;

    log_limit_init(&native.shared.log_limit);
    engine_handover_init(&native.shared.handover);
    native.shared.wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (native.shared.wake < 0)
        return err_set(err, EX_OSERR, "cannot make an eventfd: %s", strerror(errno));
    arena_init(&arena, 4096);
    done = socket_name_parse(slice_str(settings->milter.socket), &arena, &name, err);
    if (done == 0 && !adopt(&name))
        done = name.family == SOCKET_UNIX ? open_unix(settings, &name, owner, err)
                                          : open_inet(settings, &name, err);
    arena_fini(&arena);
    return done;
}

/* --- serving
 * ------------------------------------------------------------------------------------------- */

/* The MTA and Redis work for each message, too. With a loop for each of two processors, they wake
 * and displace each other: limits took half as long again. */
static unsigned loops_wanted(const struct settings *settings)
{
    long half = sysconf(_SC_NPROCESSORS_ONLN) / 2;

    if (settings->milter.threads > 0)
        return (unsigned)settings->milter.threads;
    return half < 1 ? 1 : half > LOOPS_DEFAULT_MAX ? LOOPS_DEFAULT_MAX : (unsigned)half;
}

static void *run_loop(void *loop)
{
    engine_loop_run(loop);
    return NULL;
}

static void stop_engine(void)
{
    uint64_t one = 1;

    atomic_store(&native.shared.is_stopping, true);
    (void)!write(native.shared.wake, &one, sizeof one);
}

/* The first loop runs in the caller's thread. */
static int run_loops(struct err *err)
{
    unsigned started = 1;
    int done = 0;

    while (started < native.loop_count && pthread_create(&native.loops[started].thread, NULL,
                                                         run_loop, &native.loops[started]) == 0)
        started++;
    if (started < native.loop_count) {
        done = err_set(err, EX_OSERR, "cannot start a thread of the milter engine");
        stop_engine();
    }
    engine_loop_run(&native.loops[0]);
    while (started > 1)
        (void)pthread_join(native.loops[--started].thread, NULL);
    return done;
}

static void adopt_sessions(void)
{
    unsigned adopted = 0;

    while (engine_loop_adopt(&native.loops[adopted % native.loop_count], &native.heritage))
        adopted++;
    engine_heritage_close(&native.heritage);
    if (adopted > 0)
        log_event(LOG_NOTICE, "sessions taken over", LOG_NUM("sessions", adopted));
}

static void hand_over(void)
{
    size_t count = engine_handover_send(&native.shared.handover, HANDOVER_MS);

    if (count > 0)
        log_event(LOG_NOTICE, "sessions handed over", LOG_NUM("sessions", count));
}

static int run_engine(struct dispatch *g, const struct settings *settings, struct err *err)
{
    unsigned wanted = loops_wanted(settings);
    int done = 0;

    native.shared.dispatch = g;
    native.shared.timeout_ms = settings->milter.timeout_ms;
    native.shared.sessions_max = g->sessions_max;
    for (native.loop_count = 0; done == 0 && native.loop_count < wanted; native.loop_count++)
        done = engine_loop_open(&native.loops[native.loop_count], &native.shared, err);
    if (done != 0) {
        native.loop_count--;
    } else {
        engine_handover_keep_listener(native.shared.listener);
        adopt_sessions();
        done = run_loops(err);
        hand_over();
    }
    for (unsigned i = 0; i < native.loop_count; i++)
        engine_loop_close(&native.loops[i]);
    return done;
}

static void yield_engine(void)
{
    uint64_t one = 1;

    if (!systemd_is_there())
        return;
    atomic_store(&native.shared.is_yielding, true);
    (void)!write(native.shared.wake, &one, sizeof one);
}

static bool has_yielded(void)
{
    return !atomic_load(&native.shared.is_yielding) || atomic_load(&native.shared.sessions) == 0;
}

static void nudge_engine(void)
{
    /* A loop has heard of the stop at once. */
}

static void close_engine(void)
{
    if (native.shared.listener >= 0)
        (void)close(native.shared.listener);
    if (native.shared.wake >= 0)
        (void)close(native.shared.wake);
    native.shared.listener = native.shared.wake = -1;
    if (native.is_unix && !systemd_is_there())
        listen_remove(&native.listen);
}

const struct engine engine_native = {.name = "native",
                                     .open = open_engine,
                                     .run = run_engine,
                                     .yield = yield_engine,
                                     .has_yielded = has_yielded,
                                     .stop = stop_engine,
                                     .nudge = nudge_engine,
                                     .close = close_engine};
