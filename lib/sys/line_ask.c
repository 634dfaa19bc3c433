#include "lib/sys/line_ask.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sysexits.h>
#include <unistd.h>

#include "lib/core/buf.h"
#include "lib/sys/clock.h"
#include "lib/sys/net.h"

#define READ_BYTES 65536
#define PATH_BYTES 4096

static int connect_to(const struct line_ask *a, struct err *err)
{
    struct buf where;
    int fd;

    buf_init(&where, PATH_BYTES);
    buf_addf(&where, "unix:%s", a->path);
    fd = net_connect(where.data, clock_monotonic_ms() + a->connect_ms, NULL);
    if (fd < 0)
        (void)err_set(err, errno == EACCES ? EX_NOPERM : EX_UNAVAILABLE, "%s", strerror(errno));
    buf_fini(&where);
    return fd;
}

static bool send_all(int fd, struct slice text, int64_t deadline_ms)
{
    while (text.len > 0) {
        ssize_t sent = send(fd, text.ptr, text.len, MSG_NOSIGNAL);

        if (sent < 0 && (errno != EAGAIN || !net_wait(fd, POLLOUT, deadline_ms)))
            return false;
        text = slice_from(text, sent > 0 ? (size_t)sent : 0);
    }
    return true;
}

static bool read_line(int fd, struct buf *line, int64_t deadline_ms)
{
    for (;;) {
        char *room = buf_space(line, READ_BYTES);
        ssize_t got = room != NULL ? recv(fd, room, READ_BYTES, 0) : 0;

        if (got < 0 && errno == EAGAIN && net_wait(fd, POLLIN, deadline_ms))
            continue;
        if (got <= 0)
            return false;
        line->len += (size_t)got;
        if (room[got - 1] == '\n')
            return true;
    }
}

static json_t *exchange(const struct line_ask *a, int fd, const json_t *request, struct err *err)
{
    int64_t deadline_ms = clock_monotonic_ms() + a->answer_ms;
    char *text = json_dumps(request, JSON_COMPACT);
    json_t *answer = NULL;
    struct buf line;

    buf_init(&line, a->answer_bytes);
    if (text != NULL && send_all(fd, slice_str(text), deadline_ms) &&
        send_all(fd, SLICE("\n"), deadline_ms) && read_line(fd, &line, deadline_ms))
        answer = json_loadb(line.data, line.len, 0, NULL);
    if (!json_is_object(answer)) {
        json_decref(answer);
        answer = NULL;
        (void)err_set(err, EX_PROTOCOL, "no answer came");
    }
    buf_fini(&line);
    free(text);
    return answer;
}

/* {"error":"...","never":true} */
static json_t *take_error(json_t *answer, bool *never, struct err *err)
{
    const char *text = answer != NULL ? json_string_value(json_object_get(answer, "error")) : NULL;

    if (text == NULL)
        return answer;
    if (never != NULL)
        *never = json_is_true(json_object_get(answer, "never"));
    (void)err_set(err, EX_TEMPFAIL, "%s", text);
    json_decref(answer);
    return NULL;
}

json_t *line_ask(const struct line_ask *a, json_t *request, bool *never, struct err *err)
{
    int fd = connect_to(a, err);
    json_t *answer = fd >= 0 ? exchange(a, fd, request, err) : NULL;

    if (never != NULL)
        *never = false;
    if (fd >= 0)
        (void)close(fd);
    json_decref(request);
    return take_error(answer, never, err);
}
