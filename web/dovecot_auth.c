#include "web/dovecot_auth.h"

#include <errno.h>
#include <openssl/evp.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/net.h"
#include "lib/sys/secret.h"

#define LINE_ROOM  8192
#define PLAIN_ROOM 1600
#define ASK_ROOM   (PLAIN_ROOM * 4 / 3 + 200)

struct dovecot_auth {
    int fd;
    int64_t deadline_ms;
    char room[LINE_ROOM];
    size_t len, used; /* bytes read, and those of them that were given as lines */
};

static int failed(struct err *err)
{
    return err_set(err, EX_UNAVAILABLE, "web.dovecot_auth: %s", strerror(errno));
}

/* Reads more, behind what has not been given yet. */
static int read_more(struct dovecot_auth *d, struct err *err)
{
    ssize_t n;

    memmove(d->room, d->room + d->used, d->len - d->used);
    d->len -= d->used;
    d->used = 0;
    if (d->len == sizeof d->room)
        return err_set(err, EX_UNAVAILABLE, "web.dovecot_auth: a line is too long");
    if (!net_wait(d->fd, POLLIN, d->deadline_ms))
        return failed(err);
    n = recv(d->fd, d->room + d->len, sizeof d->room - d->len, 0);
    if (n == 0)
        return err_set(err, EX_UNAVAILABLE, "web.dovecot_auth: the connection was closed");
    if (n < 0 && errno != EAGAIN)
        return failed(err);
    d->len += n > 0 ? (size_t)n : 0;
    return 0;
}

/* The next line, without its end; it lives until the next call. */
static int next_line(struct dovecot_auth *d, struct slice *line, struct err *err)
{
    struct slice rest;
    ptrdiff_t end;

    for (;;) {
        rest = (struct slice){d->room + d->used, d->len - d->used};
        end = slice_find(rest, '\n');
        if (end >= 0)
            break;
        if (read_more(d, err) != 0)
            return -1;
    }
    *line = slice_to(rest, (size_t)end);
    d->used += (size_t)end + 1;
    return 0;
}

/* RFC 4616: an empty authorization identity, the name, the password. 0: they cannot be said. */
static size_t encode(struct slice name, struct slice password, char *out)
{
    unsigned char plain[PLAIN_ROOM];
    size_t len = name.len + password.len + 2;
    int written;

    if (name.len == 0 || password.len == 0 || len > sizeof plain || slice_find(name, '\0') >= 0 ||
        slice_find(password, '\0') >= 0)
        return 0;
    plain[0] = '\0';
    memcpy(plain + 1, name.ptr, name.len);
    plain[name.len + 1] = '\0';
    memcpy(plain + name.len + 2, password.ptr, password.len);
    written = EVP_EncodeBlock((unsigned char *)out, plain, (int)len);
    secret_forget(plain, sizeof plain);
    return (size_t)written;
}

/* 1: it need not be asked. */
static int ask(struct dovecot_auth *d, struct slice name, struct slice password, struct err *err)
{
    char text[ASK_ROOM];
    int head = snprintf(text, sizeof text,
                        "VERSION\t1\t1\nCPID\t%ld\nAUTH\t1\tPLAIN\tservice=tollgate\tsecured\t"
                        "nologin\tresp=",
                        (long)getpid());
    size_t len = encode(name, password, text + head);
    ssize_t sent;

    if (len == 0)
        return 1;
    len += (size_t)head;
    text[len++] = '\n';
    sent = send(d->fd, text, len, MSG_NOSIGNAL);
    secret_forget(text, sizeof text);
    return sent == (ssize_t)len ? 0 : failed(err);
}

/* Of "OK<TAB>1<TAB>user=alice@example.com". */
static int take_user(struct slice line, struct arena *arena, struct slice *user, struct err *err)
{
    struct slice field;

    while (slice_cut(&line, '\t', &field)) {
        if (!slice_starts(field, SLICE("user=")))
            continue;
        *user = arena_copy(arena, slice_from(field, sizeof "user=" - 1));
        return user->len > 0 ? 1 : 0;
    }
    return err_set(err, EX_UNAVAILABLE, "web.dovecot_auth: an answer without a user");
}

static int talk(struct dovecot_auth *d, struct slice name, struct slice password,
                struct arena *arena, struct slice *user, struct err *err)
{
    struct slice line, word;
    int asked = ask(d, name, password, err);

    if (asked != 0)
        return asked < 0 ? -1 : 0;
    while (next_line(d, &line, err) == 0) {
        struct slice rest = line;

        (void)slice_cut(&rest, '\t', &word);
        if (slice_equal(word, SLICE("OK")))
            return take_user(rest, arena, user, err);
        if (slice_equal(word, SLICE("FAIL")) || slice_equal(word, SLICE("CONT")))
            return 0;
    }
    return -1;
}

int dovecot_auth_check(const char *where, struct slice name, struct slice password,
                       struct arena *arena, struct slice *user, struct err *err)
{
    struct dovecot_auth d = {.deadline_ms = clock_monotonic_ms() + DOVECOT_AUTH_MS};
    int result;

    d.fd = net_connect(where, d.deadline_ms, err);
    if (d.fd < 0)
        return -1;
    result = talk(&d, name, password, arena, user, err);
    (void)close(d.fd);
    return result;
}
