#include "web/http_listen.h"

#include <errno.h>
#include <grp.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/net.h"
#include "lib/sys/socket_name.h"

#define BACKLOG    256
#define ROOM_BYTES 65536
#define CONNECT_MS 200

/* --- Unix sockets ---------------------------------------------------------------------------- */

static bool is_served(const char *path)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int fd;

    (void)snprintf(a.sun_path, sizeof a.sun_path, "%s", path);
    fd = net_connect_address((struct sockaddr *)&a, sizeof a, clock_monotonic_ms() + CONNECT_MS);
    if (fd < 0)
        return errno == EAGAIN || errno == ETIMEDOUT;
    (void)close(fd);
    return true;
}

static int check_place(const char *path, struct err *err)
{
    struct stat st;

    if (lstat(path, &st) != 0)
        return 0;
    if (!S_ISSOCK(st.st_mode))
        return err_set(
            err, EX_CONFIG,
            "web.listen: %s exists and is not a socket; remove it or choose another path", path);
    if (is_served(path))
        return err_set(err, EX_TEMPFAIL,
                       "web.listen: %s: address in use; stop the process that serves it (another "
                       "tollgate-web, perhaps)",
                       path);
    return 0;
}

static int group_find(const char *name, gid_t *gid, struct err *err)
{
    struct group g, *found = NULL;
    char room[ROOM_BYTES];

    *gid = (gid_t)-1;
    if (name[0] == '\0')
        return 0;
    if (getgrnam_r(name, &g, room, sizeof room, &found) != 0 || found == NULL)
        return err_set(err, EX_CONFIG,
                       "web.group: unknown group \"%s\"; use the group of the proxy, or \"\"",
                       name);
    *gid = found->gr_gid;
    return 0;
}

/* The new socket becomes the one that clients find. */
static int put(struct http_listener *l, const char *made, const struct settings *s, struct err *err)
{
    struct stat st;
    gid_t gid;

    if (group_find(s->web.group, &gid, err) != 0)
        return -1;
    if (chown(made, (uid_t)-1, gid) != 0)
        return err_set(err, EX_CONFIG,
                       "web.group: cannot give the socket to the group \"%s\": %s; start as root, "
                       "or make the account a member of it",
                       s->web.group, strerror(errno));
    if (chmod(made, s->web.mode) != 0 || stat(made, &st) != 0 || rename(made, l->path) != 0)
        return err_set(err, EX_CANTCREAT, "web.listen: cannot put %s into place: %s", l->path,
                       strerror(errno));
    l->device = st.st_dev;
    l->inode = st.st_ino;
    return 0;
}

static int open_unix(struct http_listener *l, const struct socket_name *name,
                     const struct settings *s, struct err *err)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};
    int done;

    if (snprintf(l->path, sizeof l->path, "%s", name->path) >= (int)sizeof l->path ||
        snprintf(a.sun_path, sizeof a.sun_path, "%s.%ld", name->path, (long)getpid()) >=
            (int)sizeof a.sun_path)
        return err_set(err, EX_CONFIG,
                       "web.listen: %s: too long for a Unix socket; choose a shorter path",
                       name->path);
    if (check_place(l->path, err) != 0)
        return -1;
    (void)unlink(a.sun_path);
    l->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (l->fd < 0 || bind(l->fd, (struct sockaddr *)&a, sizeof a) != 0 ||
        listen(l->fd, BACKLOG) != 0)
        return err_set(
            err, EX_CANTCREAT,
            "web.listen: cannot make %s: %s; its directory has to exist and to belong to "
            "the account",
            l->path, strerror(errno));
    done = put(l, a.sun_path, s, err);
    if (done != 0)
        (void)unlink(a.sun_path);
    return done;
}

/* --- TCP ------------------------------------------------------------------------------------- */

/* NULL where it is none, or others reach it without TLS. */
static struct addrinfo *find_address(const struct socket_name *name, const struct settings *s,
                                     struct err *err)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE | AI_NUMERICSERV};
    struct addrinfo *list = NULL;
    char port[8], text[NET_ADDRESS_BYTES];

    hints.ai_family = name->family == SOCKET_INET6 ? AF_INET6 : AF_UNSPEC;
    (void)snprintf(port, sizeof port, "%u", (unsigned)name->port);
    if (getaddrinfo(name->host, port, &hints, &list) != 0) {
        (void)err_set(err, EX_CONFIG, "web.listen: unknown host: %s: use 127.0.0.1 or ::1",
                      name->host);
        return NULL;
    }
    net_address_text(list->ai_addr, text, NULL);
    if (net_is_loopback(text) || s->web.tls_cert_file[0] != '\0')
        return list;
    freeaddrinfo(list);
    (void)err_set(
        err, EX_CONFIG,
        "web.listen: %s is not a loopback address, and there is no TLS: set "
        "web.tls_cert_file, or listen on 127.0.0.1, ::1 or a Unix socket, with a proxy in "
        "front of it",
        text);
    return NULL;
}

static int listen_at(const struct addrinfo *a, struct err *err)
{
    char text[NET_ADDRESS_BYTES];
    int fd, yes = 1;
    uint16_t port;

    fd = socket(a->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd >= 0)
        (void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (fd >= 0 && bind(fd, a->ai_addr, a->ai_addrlen) == 0 && listen(fd, BACKLOG) == 0)
        return fd;
    net_address_text(a->ai_addr, text, &port);
    if (errno == EADDRINUSE)
        (void)err_set(err, EX_TEMPFAIL,
                      "web.listen: %s port %u: address in use; stop the process that serves it "
                      "(another tollgate-web, perhaps)",
                      text, (unsigned)port);
    else
        (void)err_set(err, EX_CANTCREAT, "web.listen: cannot listen at %s port %u: %s", text,
                      (unsigned)port, strerror(errno));
    if (fd >= 0)
        (void)close(fd);
    return -1;
}

static int open_inet(struct http_listener *l, const struct socket_name *name,
                     const struct settings *s, struct err *err)
{
    struct addrinfo *list = find_address(name, s, err);

    if (list == NULL)
        return -1;
    l->fd = listen_at(list, err);
    freeaddrinfo(list);
    return l->fd < 0 ? -1 : 0;
}

/* --- all ------------------------------------------------------------------------------------- */

typedef int each_name(void *context, const struct socket_name *name, struct err *err);

static int walk(const struct settings *s, each_name *each, void *context, struct err *err)
{
    struct socket_name name;
    struct arena arena;
    int result = 0;

    if (s->web.listen.count == 0)
        return err_set(err, EX_CONFIG, "web.listen is empty: name a socket");
    arena_init(&arena, 65536);
    for (size_t i = 0; result == 0 && i < s->web.listen.count; i++) {
        result = socket_name_parse(slice_str(s->web.listen.items[i]), &arena, &name, err);
        if (result == 0)
            result = each(context, &name, err);
    }
    arena_fini(&arena);
    return result;
}

static int check_one(void *context, const struct socket_name *name, struct err *err)
{
    struct addrinfo *list;

    if (name->family == SOCKET_UNIX)
        return 0;
    list = find_address(name, context, err);
    if (list != NULL)
        freeaddrinfo(list);
    return list != NULL ? 0 : -1;
}

int http_listen_check(const struct settings *s, struct err *err)
{
    gid_t gid;

    return walk(s, check_one, (void *)(uintptr_t)s, err) == 0 ? group_find(s->web.group, &gid, err)
                                                              : -1;
}

struct opening {
    struct http_listen *l;
    const struct settings *s;
};

static int open_one(void *context, const struct socket_name *name, struct err *err)
{
    struct opening *o = context;
    struct http_listener *l = &o->l->list[o->l->count];

    if (o->l->count == HTTP_LISTEN_MAX)
        return err_set(err, EX_CONFIG, "web.listen: more than %d sockets: remove some",
                       HTTP_LISTEN_MAX);
    *l = (struct http_listener){.fd = -1, .is_unix = name->family == SOCKET_UNIX};
    o->l->count++;
    return l->is_unix ? open_unix(l, name, o->s, err) : open_inet(l, name, o->s, err);
}

int http_listen_open(struct http_listen *l, const struct settings *s, struct err *err)
{
    struct opening o = {l, s};

    *l = (struct http_listen){.count = 0};
    if (walk(s, open_one, &o, err) == 0)
        return 0;
    http_listen_close(l);
    return -1;
}

void http_listen_close(struct http_listen *l)
{
    struct stat st;

    for (size_t i = 0; i < l->count; i++) {
        const struct http_listener *one = &l->list[i];

        if (one->fd >= 0)
            (void)close(one->fd);
        if (one->inode != 0 && lstat(one->path, &st) == 0 && st.st_dev == one->device &&
            st.st_ino == one->inode)
            (void)unlink(one->path);
    }
    l->count = 0;
}
