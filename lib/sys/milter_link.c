#include "lib/sys/milter_link.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/sys/clock.h"
#include "lib/sys/net.h"

#define IN_MAX_BYTES   ((size_t)1 << 20)
#define READ_BYTES     16384
#define SEND_MIN_BYTES 65536 /* unanswered events are sent together up to here */

static int fail(struct milter_link *l, struct err *err, const char *what)
{
    if (l->fd >= 0)
        (void)close(l->fd);
    l->fd = -1;
    return err_set(err, EX_UNAVAILABLE, "milter: %s", what);
}

int milter_link_open(struct milter_link *l, const char *where, int64_t timeout_ms, struct err *err)
{
    struct milter_answer answer;

    *l = (struct milter_link){.fd = -1};
    milter_client_init(&l->client);
    buf_init(&l->in, IN_MAX_BYTES);
    l->fd = net_connect(where, clock_monotonic_ms() + timeout_ms, err);
    if (l->fd < 0)
        return err_prefix(err, "milter");
    milter_client_offer(&l->client);
    return milter_link_next(l, timeout_ms, &answer, err) < 0 ? -1 : 0;
}

void milter_link_close(struct milter_link *l)
{
    if (l->fd >= 0) {
        milter_client_quit(&l->client);
        if (!l->client.out.failed)
            (void)!send(l->fd, l->client.out.data, l->client.out.len, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)close(l->fd);
        l->fd = -1;
    }
    milter_client_fini(&l->client);
    buf_fini(&l->in);
}

int milter_link_flush(struct milter_link *l, int64_t timeout_ms, struct err *err)
{
    struct slice rest = buf_slice(&l->client.out);

    if (l->fd < 0)
        return err_set(err, EX_UNAVAILABLE, "milter: not connected");
    if (l->client.out.failed)
        return fail(l, err, "out of memory, or too much data to send");
    while (rest.len > 0) {
        ssize_t n = send(l->fd, rest.ptr, rest.len, MSG_NOSIGNAL);

        if (n >= 0)
            rest = slice_from(rest, (size_t)n);
        else if (errno != EINTR && errno != EAGAIN)
            return fail(l, err, strerror(errno));
        else if (!net_wait(l->fd, POLLOUT, clock_monotonic_ms() + timeout_ms))
            return fail(l, err, strerror(errno));
    }
    buf_reset(&l->client.out);
    return 0;
}

static int receive(struct milter_link *l, int64_t timeout_ms, struct err *err)
{
    char *room = buf_space(&l->in, READ_BYTES);

    if (room == NULL)
        return fail(l, err, "out of memory, or the answer is too long");
    for (;;) {
        ssize_t n = recv(l->fd, room, READ_BYTES, 0);

        if (n > 0) {
            l->in.len += (size_t)n;
            return 0;
        }
        if (n == 0)
            return fail(l, err, "closed the connection");
        if (errno != EINTR && errno != EAGAIN)
            return fail(l, err, strerror(errno));
        if (!net_wait(l->fd, POLLIN, clock_monotonic_ms() + timeout_ms))
            return fail(l, err, errno == ETIMEDOUT ? "no answer in time" : strerror(errno));
    }
}

/* Drops the bytes of earlier answers, whose slices end here. */
static void drop_taken(struct milter_link *l)
{
    size_t rest = l->in.len - l->taken;

    if (l->taken == 0)
        return;
    memmove(l->in.data, l->in.data + l->taken, rest);
    l->in.len = rest;
    l->taken = 0;
}

int milter_link_next(struct milter_link *l, int64_t timeout_ms, struct milter_answer *out,
                     struct err *err)
{
    if (l->fd < 0)
        return err_set(err, EX_UNAVAILABLE, "milter: not connected");
    if (!l->client.is_waiting)
        return l->client.out.len < SEND_MIN_BYTES ? 0 : milter_link_flush(l, timeout_ms, err);
    if (l->client.out.len > 0 && milter_link_flush(l, timeout_ms, err) != 0)
        return -1;
    drop_taken(l);
    for (;;) {
        struct slice in = buf_slice(&l->in);
        enum milter_take got = milter_client_take(&l->client, &in, out);

        /* Progress messages are consumed, too; the slices of an answer are valid until the next
         * call. */
        l->taken = l->in.len - in.len;
        if (got == MILTER_TAKE_ANSWER)
            return 1;
        if (got == MILTER_TAKE_BAD)
            return fail(l, err, l->client.problem);
        drop_taken(l);
        if (receive(l, timeout_ms, err) != 0)
            return -1;
    }
}
