#include "relay/server.h"

#include <errno.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/log.h"
#include "lib/sys/mutex.h"
#include "lib/sys/net.h"
#include "lib/sys/socket_name.h"
#include "relay/session_thread.h"

#define BACKLOG       256
#define PAUSE_MS      100 /* after a failed accept: probably no descriptor is left */
#define STACK_BYTES   ((size_t)512 << 10)
#define LISTENERS_MAX 100
/* With sessions_max sessions, a client may be silent for this part of relay.timeout: 10 s of 5 min.
 */
#define PATIENCE_WHEN_FULL 30

MUTEX_NAME(server_lock)

struct server {
    struct relay *relay;
    struct pollfd listeners[LISTENERS_MAX + 1]; /* the last is wake_fd */
    uint16_t ports[LISTENERS_MAX];
    bool tls[LISTENERS_MAX]; /* from the first byte */
    size_t listener_count;
    struct mutex lock;
    pthread_cond_t ended; /* of sessions; monotonic clock */
    struct live *sessions MUTEX_GUARDS(server_lock);
    size_t session_count MUTEX_GUARDS(server_lock);
    struct live *finished MUTEX_GUARDS(server_lock); /* their threads are to be joined */
};

/* An open session. */
struct live {
    struct live *next;
    struct server *server;
    pthread_t thread;
    struct session_thread session;
};

/* --- listening ------------------------------------------------------------------------------- */

static int listen_at(const struct addrinfo *a)
{
    int fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), yes = 1;

    if (fd < 0)
        return -1;
    (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (a->ai_family == AF_INET6)
        (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &yes, sizeof yes);
    if (bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    (void)close(fd);
    return -1;
}

static int open_listener(struct server *s, const struct socket_name *name, bool tls,
                         struct err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char port[8];
    int fd;

    (void)snprintf(port, sizeof port, "%u", (unsigned)name->port);
    if (getaddrinfo(name->host, port, &hints, &list) != 0)
        return err_set(err, EX_CONFIG, "relay.listen: unknown host: %s", name->host);
    fd = listen_at(list);
    freeaddrinfo(list);
    if (fd < 0)
        return err_set(err, EX_OSERR, "cannot listen at %s:%s: %s", name->host, port,
                       strerror(errno));
    own_address_add(&s->relay->own, fd);
    s->ports[s->listener_count] = name->port;
    s->tls[s->listener_count] = tls;
    s->listeners[s->listener_count++] = (struct pollfd){.fd = fd, .events = POLLIN};
    return 0;
}

static int open_list(struct server *s, const struct string_list *list, bool tls, struct err *err)
{
    struct arena arena;
    int result = 0;

    arena_init(&arena, 65536);
    for (size_t i = 0; result == 0 && i < list->count && s->listener_count < LISTENERS_MAX; i++) {
        struct socket_name name;

        result = socket_name_host_port_parse(slice_str(list->items[i]), &arena, &name, err);
        if (result == 0)
            result = open_listener(s, &name, tls, err);
    }
    arena_fini(&arena);
    return result;
}

static int open_all(struct server *s, struct err *err)
{
    const struct settings *settings = s->relay->settings;

    if (open_list(s, &settings->relay.listen, false, err) != 0 ||
        open_list(s, &settings->relay.listen_tls, true, err) != 0)
        return -1;
    return s->listener_count > 0 ? 0 : err_set(err, EX_CONFIG, SERVER_NO_LISTENER);
}

static void free_server(struct server *s)
{
    for (size_t i = 0; i < s->listener_count; i++)
        (void)close(s->listeners[i].fd);
    mutex_fini(&s->lock);
    (void)pthread_cond_destroy(&s->ended);
    free(s);
}

struct server *server_open(struct relay *relay, struct err *err)
{
    struct server *s = calloc(1, sizeof *s);

    if (s == NULL) {
        (void)err_set(err, EX_OSERR, "out of memory");
        return NULL;
    }
    s->relay = relay;
    mutex_init(&s->lock);
    mutex_condition_init(&s->ended);
    if (open_all(s, err) == 0)
        return s;
    free_server(s);
    return NULL;
}

/* --- sessions -------------------------------------------------------------------------------- */

static void unlink_session(struct server *s, const struct live *l) TG_REQUIRES(server_lock)
{
    struct live **at = &s->sessions;

    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    s->session_count--;
    (void)pthread_cond_broadcast(&s->ended);
}

static void *run_session(void *data)
{
    struct live *l = data;
    struct server *s = l->server;

    session_thread_run(&l->session);
    server_lock_take(&s->lock);
    unlink_session(s, l);
    session_thread_close(&l->session); /* under the lock: server_close reaches for its socket */
    l->next = s->finished;
    s->finished = l;
    server_lock_give(&s->lock);
    return NULL;
}

/* By the thread that starts them: until a thread is joined, it may still use the server. */
static void join_finished(struct server *s)
{
    struct live *list, *next;

    server_lock_take(&s->lock);
    list = s->finished;
    s->finished = NULL;
    server_lock_give(&s->lock);
    for (; list != NULL; list = next) {
        next = list->next;
        (void)pthread_join(list->thread, NULL);
        free(list);
    }
}

static size_t count_from(const struct server *s, const char *ip) TG_REQUIRES(server_lock)
{
    size_t n = 0;

    for (const struct live *l = s->sessions; l != NULL; l = l->next)
        n += strcmp(l->session.client_ip, ip) == 0;
    return n;
}

static bool start_thread(struct live *l)
{
    pthread_attr_t attr;
    bool started;

    (void)pthread_attr_init(&attr);
    (void)pthread_attr_setstacksize(&attr, STACK_BYTES);
    started = pthread_create(&l->thread, &attr, run_session, l) == 0;
    (void)pthread_attr_destroy(&attr);
    return started;
}

/* The session whose client has been silent for the longest makes room for the next connection. */
static void evict_silent(struct server *s) TG_REQUIRES(server_lock)
{
    int64_t latest_ms =
        clock_monotonic_ms() - s->relay->settings->relay.timeout_ms / PATIENCE_WHEN_FULL;
    struct live *silent = NULL;

    for (struct live *l = s->sessions; l != NULL; l = l->next) {
        int64_t since_ms = atomic_load(&l->session.waiting_since_ms);

        if (since_ms == 0 || since_ms > latest_ms || atomic_load(&l->session.is_evicted))
            continue;
        latest_ms = since_ms;
        silent = l;
    }
    if (silent != NULL)
        session_thread_evict(&silent->session);
}

/* False: there are too many sessions. */
static bool admit(struct server *s, struct live *l)
{
    const struct settings *settings = s->relay->settings;
    bool good;

    server_lock_take(&s->lock);
    good = s->session_count < (size_t)settings->relay.sessions_max &&
           count_from(s, l->session.client_ip) < (size_t)settings->relay.client_sessions_max;
    if (good) {
        l->next = s->sessions;
        s->sessions = l;
        s->session_count++;
        if (!start_thread(l)) {
            unlink_session(s, l);
            good = false;
        }
    } else if (s->session_count >= (size_t)settings->relay.sessions_max) {
        evict_silent(s);
    }
    server_lock_give(&s->lock);
    return good;
}

static void turn_away(int fd, const char *ip)
{
    static const char text[] = "421 4.7.0 Too many connections, try again later\r\n";

    log_event(LOG_NOTICE, "too many connections", LOG_STR("client", ip));
    (void)!send(fd, text, sizeof text - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    (void)close(fd);
}

static void take_connection(struct server *s, size_t listener)
{
    struct sockaddr_storage from;
    socklen_t len = sizeof from;
    int fd = accept4(s->listeners[listener].fd, (struct sockaddr *)&from, &len,
                     SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct live *l;

    if (fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            clock_sleep_ms(PAUSE_MS);
        return;
    }
    l = calloc(1, sizeof *l);
    if (l == NULL) {
        turn_away(fd, "");
        return;
    }
    l->server = s;
    session_thread_init(&l->session, s->relay, fd, (const struct sockaddr *)&from,
                        s->ports[listener], s->tls[listener]);
    if (!admit(s, l)) {
        turn_away(fd, l->session.client_ip);
        free(l);
    }
}

bool server_run(struct server *s, int wake_fd, int64_t until_ms)
{
    size_t count = s->listener_count;

    s->listeners[count] = (struct pollfd){.fd = wake_fd, .events = POLLIN};
    for (;;) {
        int64_t left_ms = until_ms - clock_monotonic_ms();

        join_finished(s);
        if (left_ms <= 0)
            return false;
        if (poll(s->listeners, count + 1, (int)left_ms) <= 0)
            continue;
        if ((s->listeners[count].revents & POLLIN) != 0)
            return true;
        for (size_t i = 0; i < count; i++) {
            if ((s->listeners[i].revents & POLLIN) != 0)
                take_connection(s, i);
        }
    }
}

/* --- the end --------------------------------------------------------------------------------- */

static bool wait_for_sessions(struct server *s, int64_t end_ms) TG_REQUIRES(server_lock)
{
    while (s->session_count > 0) {
        if (!server_lock_wait_until(&s->lock, &s->ended, end_ms))
            return false;
    }
    return true;
}

bool server_close(struct server *s, int64_t grace_ms)
{
    bool all_ended;

    server_lock_take(&s->lock);
    for (struct live *l = s->sessions; l != NULL; l = l->next)
        session_thread_stop(&l->session);
    all_ended = wait_for_sessions(s, clock_monotonic_ms() + grace_ms);
    for (struct live *l = s->sessions; !all_ended && l != NULL; l = l->next)
        (void)shutdown(l->session.stream.fd, SHUT_RDWR);
    all_ended = all_ended || wait_for_sessions(s, clock_monotonic_ms() + 1000);
    server_lock_give(&s->lock);
    join_finished(s);
    if (all_ended)
        free_server(s);
    return all_ended;
}
